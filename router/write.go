package router

import (
	"context"
	"sync"
	"time"

	"cairn"
	"cairn/shardmap/catalog"
	"cairn/shardmap/placement"
)

// Put creates or changes one entry, replacing its attributes with cairn.Put
// and patching them with cairn.Merge. What it returns is durable.
//
// With an id, a write that was carried out before has its first outcome again;
// see cairn.RequestID. One without (the zero id) gets one of the router's own,
// so that the router can repeat it up to the deadline.
//
// It fails with KindInvalid for what can't be accepted, with KindNotFound for
// a keyspace that is not there, with KindPrecondition if the condition does
// not hold, with KindExhausted if the owner's disk is full, with KindUnavailable
// (SHARD_FENCED) if its shard is to move and has not within HoldLimits, and with
// KindUnknown (OUTCOME_UNKNOWN) if the write may or may not have taken effect.
// With every other kind it has not. An id that is too old is refused with
// KindPrecondition (REQUEST_TOO_OLD), one of the future with KindInvalid
// (REQUEST_AHEAD), which say nothing about an earlier call with it.
func (r *Router) Put(ctx context.Context, keyspace string, write cairn.Write, id cairn.RequestID) (cairn.WriteOutcome, cairn.Token, error) {
	if write.Operation != cairn.Put && write.Operation != cairn.Merge {
		return cairn.WriteOutcome{}, cairn.Token{}, cairn.Invalid("operation", "OPERATION_UNKNOWN", "a Put puts or merges")
	}
	return r.writeOne(ctx, VerbPut, keyspace, write, id)
}

// Delete removes one entry and tells whether there was one. The id is as in
// Put. It fails as Put does.
func (r *Router) Delete(ctx context.Context, keyspace string, key cairn.Key, condition cairn.Condition, id cairn.RequestID) (existed bool, token cairn.Token, err error) {
	outcome, token, err := r.writeOne(ctx, VerbDelete, keyspace, cairn.Write{Operation: cairn.Delete, Key: key, Condition: condition}, id)
	return outcome.Existed, token, err
}

func (r *Router) writeOne(ctx context.Context, verb Verb, keyspace string, write cairn.Write, id cairn.RequestID) (cairn.WriteOutcome, cairn.Token, error) {
	began := r.began()
	work, err := r.write(ctx, verb, keyspace, []cairn.Write{write}, id)
	if err == nil && work.outcomes[0].Err != nil {
		err = work.outcomes[0].Err
	}
	r.ended(verb, keyspace, 1, 0, began, err)
	if err != nil {
		return cairn.WriteOutcome{}, cairn.Token{}, err
	}
	return work.outcomes[0], work.token, nil
}

// BatchWrite carries out up to cairn.MaxBatch writes, each by itself, and
// returns their outcomes in the order of the writes. Writes of one key take
// effect in that order. The token covers every write that took effect. The id
// is as in Put, and of the whole batch: a retry repeats the batch.
//
// It fails as a whole, before anything is written, for a keyspace or a count
// that can't be.
func (r *Router) BatchWrite(ctx context.Context, keyspace string, writes []cairn.Write, id cairn.RequestID) ([]cairn.WriteOutcome, cairn.Token, error) {
	began := r.began()
	work, err := r.write(ctx, VerbBatchWrite, keyspace, writes, id)
	r.ended(VerbBatchWrite, keyspace, len(writes), work.failed, began, err)
	if err != nil {
		return nil, cairn.Token{}, err
	}
	return work.outcomes, work.token, nil
}

// writing is the work of carrying out many writes.
type writing struct {
	writes     []cairn.Write
	attributes []cairn.Attributes
	outcomes   []cairn.WriteOutcome
	id         cairn.RequestID
	ownID      bool // the router's, not the caller's
	// prefix puts the write's position before the field of an error.
	prefix bool

	mu     sync.Mutex // guards what the groups add up to
	token  cairn.Token
	failed int
}

func (r *Router) write(ctx context.Context, verb Verb, keyspace string, writes []cairn.Write, id cairn.RequestID) (*writing, error) {
	work := &writing{writes: writes, id: id, prefix: verb == VerbBatchWrite}
	if id.IsZero() {
		work.id, work.ownID = cairn.NewRequestID(time.Now()), true
	}
	if err := checkCount("writes", len(writes)); err != nil {
		return work, err
	}
	ctx, own := r.bound(ctx)
	defer own.end()
	_, found, err := r.open(ctx, keyspace, cairn.Freshness{})
	if err != nil {
		return work, asError(err)
	}
	work.outcomes = make([]cairn.WriteOutcome, len(writes))
	work.attributes = make([]cairn.Attributes, len(writes))
	keys := make([]cairn.Key, len(writes))
	valid := make([]int32, 0, len(writes))
	for i := range writes {
		encoded, err := checkWrite(found, &writes[i])
		if err != nil {
			work.failOne(int32(i), err)
			continue
		}
		work.attributes[i], keys[i] = encoded, writes[i].Key
		valid = append(valid, int32(i))
	}
	s := scatter{router: r, verb: verb, name: keyspace, keyspace: found.UID, keys: keys, worker: work}
	s.run(ctx, valid, trial{})
	return work, nil
}

func (w *writing) fail(positions []int32, err *cairn.Error) {
	for _, position := range positions {
		w.failOne(position, err)
	}
}

func (w *writing) failOne(position int32, err *cairn.Error) {
	each := *err
	if w.prefix && each.Field != "" {
		each = *within(indexed("writes", int(position)), err)
	}
	if len(w.writes[position].Key) <= cairn.MaxKeyLength {
		each.Key = w.writes[position].Key
	}
	w.outcomes[position] = cairn.WriteOutcome{Err: &each}
	w.mu.Lock()
	w.failed++
	w.mu.Unlock()
}

func (w *writing) ask(ctx context.Context, index Index, e *errand) ([]int32, verdict) {
	cluster := e.member().cluster
	req := cairn.WriteRequest{Keyspace: e.keyspace.UID, Epoch: e.group.epoch}
	if !e.trial.unnamed {
		req.RequestID = w.id
	}
	req.Mutations = make([]cairn.Mutation, 0, len(e.group.positions))
	// Writes whose nodes are unknown drop out of the group here.
	positions := e.group.positions[:0]
	for _, position := range e.group.positions {
		write := &w.writes[position]
		nodes, err := nodeIDs(cluster, write)
		if err != nil {
			w.failOne(position, e.trial.judge(err))
			continue
		}
		positions = append(positions, position)
		req.Mutations = append(req.Mutations, cairn.Mutation{
			Operation: write.Operation, Key: write.Key, Nodes: nodes,
			Attributes: w.attributes[position], Condition: write.Condition, Position: uint32(position),
		})
	}
	if len(positions) == 0 {
		return nil, verdict{}
	}
	reply, err := index.Write(ctx, &req)
	if err != nil {
		var answer cairn.Answer
		if reply != nil {
			answer = reply.Answer
		}
		return positions, learnWrite(err, answer, e.revision(), !e.trial.unnamed)
	}
	if len(reply.Results) != len(positions) {
		return positions, learnWrite(wrongCount(cluster, len(positions), len(reply.Results)), reply.Answer, e.revision(), !e.trial.unnamed)
	}
	return w.take(cluster, e, positions, reply)
}

// take fills in the outcomes that a reply tells, and returns the positions of
// the writes to try again.
func (w *writing) take(cluster *catalog.Cluster, e *errand, positions []int32, reply *cairn.WriteReply) (refused []int32, learnt verdict) {
	names := naming{cluster: cluster, keyspace: e.keyspace}
	var stamp cairn.Stamp
	for i := range reply.Results {
		result, position := &reply.Results[i], positions[i]
		switch {
		case result.Err == nil:
			w.outcomes[position] = w.outcome(&names, position, result)
			stamp.Epoch, stamp.Index = max(stamp.Epoch, result.Stamp.Epoch), max(stamp.Index, result.Stamp.Index)
		case result.Err.Kind == cairn.KindStale:
			refused = append(refused, position)
			if learnt.refusal == nil || learnt.action == hold {
				// What is fenced as well is refused again, and held back then.
				learnt = learnDisowned(cluster.Name, reply.Answer, e.revision())
			}
		case result.Err.Reason == reasonFenced:
			refused = append(refused, position)
			if learnt.refusal == nil || learnt.action == hold {
				learnt = w.learnFenced(e, position, learnt, result.Err)
			}
		case idRefused(result.Err) && w.ownID && !e.trial.unsure:
			// The router's clock is off, or the index remembers next to
			// nothing: it is written all the same, if only once.
			refused, learnt = append(refused, position), verdict{action: unnamed, refusal: result.Err}
		case idRefused(result.Err):
			w.failOne(position, e.trial.judge(result.Err))
		default:
			w.failOne(position, result.Err)
		}
	}
	if stamp != (cairn.Stamp{}) {
		w.mu.Lock()
		w.token = w.token.With(cluster.UID, stamp)
		w.mu.Unlock()
	}
	return refused, learnt
}

// learnFenced is what is learnt when a write's shard is fenced, beside what is held
// back already.
func (w *writing) learnFenced(e *errand, position int32, learnt verdict, err *cairn.Error) verdict {
	write := &w.writes[position]
	held := learnt.held
	if learnt.refusal == nil {
		held = holding{keyspace: e.keyspace.UID, placementKey: placement.Key(e.keyspace.Placement, write.Key, nil)}
	}
	held.writes++
	held.bytes += len(write.Key) + len(w.attributes[position])
	return verdict{action: hold, revision: e.revision(), refusal: err, held: held}
}

func (w *writing) outcome(names *naming, position int32, result *cairn.Written) cairn.WriteOutcome {
	outcome := cairn.WriteOutcome{Existed: result.Existed}
	if w.writes[position].Operation == cairn.Delete {
		return outcome
	}
	outcome.Cluster, outcome.Version = names.cluster.Name, result.Version
	// A node that the map lacks is no reason to call a write failed that is
	// durable: its outcome comes without nodes then.
	outcome.Primary, outcome.Replicas, _ = names.placed(result.Nodes)
	return outcome
}
