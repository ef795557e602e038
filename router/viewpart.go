package router

import (
	"context"
	"slices"
	"time"

	"cairn"
	"cairn/shardmap/catalog"
	"cairn/views/page"
)

// viewPart is one cluster's share of a question.
type viewPart struct {
	part
	page.Run[cairn.ViewRow]
	request cairn.ViewRequest
	reply   *cairn.ViewReply // nil until it has answered
	of      *question
	status  *cairn.IndexStatus
	// refused tells whether it wants the question decided by a newer map,
	// missing is why the answer will be without it.
	refused bool
	missing *cairn.Error
	// low and high bound the place of an offset; see seek.
	low, high int
	bounded   bool
	took      time.Duration
	asked     asked
	// flight is what was begun, as first has it; see begin.
	first  attempt
	flight viewFlight
	// cluster is whose nodes its rows name, revision the newest map that its
	// replies were made by.
	cluster  *catalog.Cluster
	revision uint64
}

// begin makes the first attempt to ask the part without waiting: it goes into landed when
// there is an answer, which end takes. It is false where asking may need a goroutine of
// its own.
func (p *viewPart) begin(ctx context.Context, landed chan<- *viewPart) bool {
	q := p.of
	if q.census != nil || p.request.WithPlan {
		return false // a plan says how long this part took
	}
	first, refusal := q.attempt(&p.part, q.epoch(p))
	if refusal != nil {
		return false
	}
	index, err := first.member.connection.get(first.member.cluster)
	if err != nil {
		return false
	}
	p.first, p.asked = first, p.question(first.read)
	p.flight = q.router.boardPart(ctx, index, p.asked, p.alone(), func() { landed <- p })
	return p.flight != nil
}

// end takes what begin began, or waits for it until ctx ends, and has a goroutine do what
// is left to be done.
func (p *viewPart) end(ctx context.Context) {
	q := p.of
	answer, anew, err := land(ctx, p.flight)
	p.flight = nil
	if anew {
		q.asking.Go(func() { p.settle(q.ask(ctx, p, q.epoch(p))) })
		return
	}
	state, shards, err := p.take(answer, err)
	learnt := q.learn(&p.owner, p.first.member.cluster, state, shards, err)
	if learnt.refusal != nil {
		q.asking.Go(func() { p.settle(q.insist(ctx, p, p.first, learnt)) })
		return
	}
	p.settle(q.insist(ctx, p, p.first, learnt))
}

// settle notes how asking the part ended; see sweep.ask.
func (p *viewPart) settle(answered bool, refusal *cairn.Error) {
	if p.refused = !answered; refusal != nil {
		p.of.fail(p, refusal)
	}
}

func (p *viewPart) send(ctx context.Context, index Index, read cairn.Read) (cairn.Answer, cairn.Fingerprint, error) {
	if census := p.of.census; census != nil {
		status, err := census.ask(ctx, p.owner.Cluster, index, read.Epoch)
		if err != nil {
			return cairn.Answer{}, 0, err
		}
		p.status, p.reply = &status, &cairn.ViewReply{}
		return cairn.Answer{Revision: status.MapRevision, Index: status.AppliedIndex}, p.owner.Fingerprint, nil
	}
	if p.request.WithPlan {
		defer func(began time.Time) { p.took = time.Since(began) }(time.Now())
	}
	p.asked = p.question(read)
	return p.take(p.of.router.askPart(ctx, index, p.asked, p.alone()))
}

// alone tells that the index itself is to be asked: the part was refused before.
func (p *viewPart) alone() bool { return p.trial.tries > 0 || p.of.redecided > 0 }

// take takes an answer, if it is about the shards that the map gives the cluster, and
// returns what send does.
func (p *viewPart) take(answer heard, err error) (cairn.Answer, cairn.Fingerprint, error) {
	p.of.answered(p, answer.from)
	reply := answer.reply
	if err != nil {
		var state cairn.Answer
		if reply != nil {
			state = reply.Answer
		}
		return state, 0, versionMoved(err)
	}
	if reply.Fingerprint == p.owner.Fingerprint {
		p.reply, p.revision = reply, max(p.revision, reply.Revision)
	}
	p.of.router.kept.keep(p.asked, reply)
	return reply.Answer, reply.Fingerprint, nil
}

// question is what the part is asked, for as long as anybody asks it.
func (p *viewPart) question(read cairn.Read) asked {
	p.request.Read = read
	part := &Part{
		ViewRequest: p.request, Cluster: p.owner.Cluster, ClusterRevision: p.of.cluster(&p.part).Revision,
		Shards: p.owner.Fingerprint, Pinned: p.of.pinned,
	}
	part.Key = slices.Clone(part.Key) // it is the caller's, who may have left
	return asked{part, identify(part.Cluster, &part.ViewRequest)}
}

// versionMoved takes an index's word that it does not know a version for what
// it is: one of the two has an older map than the other.
func versionMoved(err error) error {
	if cairn.ReasonOf(err) != "VIEW_VERSION_UNKNOWN" {
		return err
	}
	return &cairn.Error{Kind: cairn.KindStale, Reason: "VIEW_VERSION_UNKNOWN", Err: err}
}
