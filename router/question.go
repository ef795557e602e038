package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/views/page"
)

// question is a question about a view, or about all entries of a keyspace, that
// every owner of the keyspace answers for its part.
type question struct {
	sweep
	ctx *deadlineContext
	// view and version are what the question is about; view is nil for all
	// entries.
	view    *catalog.View
	version *catalog.ViewVersion
	partial bool
	pinned  bool
	// request is what every part is asked, but for Read and where its page
	// begins.
	request cairn.ViewRequest
	// resolve, if set, turns the question's names into the request's ids, by
	// the schema and the version decided by.
	resolve func() error
	// of, if set, is the key whose owner alone is asked.
	of cairn.Key
	// census, if set, asks for the indexes' status in place of the request.
	census *census

	parts []*viewPart
	// asking are the parts that goroutines of their own ask.
	asking sync.WaitGroup
	// begun tells whether a part has answered.
	begun  bool
	failed *cairn.Error // the first failure; guarded by mu
}

// answered tells the listener of a part's answer.
func (q *question) answered(p *viewPart, from Source) {
	q.router.questioned(QuestionEvent{Verb: q.verb, Keyspace: q.name, Cluster: q.cluster(&p.part).Name, Source: from})
}

// open begins a question about a view. It needs close in any case.
func (q *question) open(ctx context.Context, view string, freshness cairn.Freshness) error {
	if view == "" {
		return cairn.Invalid("view", "VIEW_MISSING", "name the view")
	}
	m, err := q.begin(ctx, freshness)
	if err != nil {
		return err
	}
	found, ok := m.Catalog().ViewByName(view)
	if !ok {
		return viewUnknown(view)
	}
	q.view, q.keyspace = found, found.Keyspace
	if keyspace, ok := m.Catalog().KeyspaceByUID(found.Keyspace); ok {
		q.name = keyspace.Name
	}
	_, err = q.decide(q.ctx, m.Revision())
	return err
}

// openAll begins a question about all entries of a keyspace. It needs close in
// any case.
func (q *question) openAll(ctx context.Context, keyspace string, freshness cairn.Freshness) error {
	if keyspace == "" {
		return cairn.Invalid("keyspace", "KEYSPACE_MISSING", "name the keyspace")
	}
	m, err := q.begin(ctx, freshness)
	if err != nil {
		return err
	}
	found, ok := m.Catalog().KeyspaceByName(keyspace)
	if !ok {
		return keyspaceNotFound(keyspace)
	}
	q.keyspace, q.name = found.UID, keyspace
	_, err = q.decide(q.ctx, m.Revision())
	return err
}

func (q *question) begin(ctx context.Context, freshness cairn.Freshness) (*shardmap.Map, error) {
	q.ctx, q.hasty = q.router.bounded(ctx), q.partial
	q.freshness, q.token = freshness, floorOf(freshness)
	return q.router.mapFor(q.ctx, freshness)
}

func (q *question) close() { q.ctx.end() }

func viewUnknown(name string) *cairn.Error {
	e := cairn.Errorf(cairn.KindNotFound, "VIEW_NOT_FOUND", "there is no view %q", name)
	e.Field = "view"
	return e
}

// decide takes a map at least as new as revision for the parts. What was
// answered stays, as far as it still holds; nothing does once the view has
// been replaced.
func (q *question) decide(ctx context.Context, revision uint64) (replaced bool, err error) {
	if err := q.sweep.decide(ctx, revision); err != nil {
		return false, err
	}
	old := q.parts
	if q.view != nil {
		if replaced, err = q.decideVersion(); err != nil {
			return false, err
		}
	}
	if replaced {
		old = nil
	}
	if q.resolve != nil {
		if err := q.resolve(); err != nil {
			return false, err
		}
	}
	owners, err := q.owners()
	if err != nil {
		return false, err
	}
	before := q.parts
	slab := make([]viewPart, 0, len(owners))
	q.parts = partsOf(owners, old, func(owner shardmap.Owner) *viewPart {
		slab = append(slab, viewPart{part: part{owner: owner}, Run: page.Run[cairn.ViewRow]{More: true}, of: q})
		p := &slab[len(slab)-1]
		// A cluster that could not be reached is not waited for again.
		if at := slices.IndexFunc(before, func(b *viewPart) bool { return b.owner.Cluster == owner.Cluster }); at >= 0 && before[at].missing != nil {
			p.lose(before[at].missing)
		}
		return p
	})
	return replaced, nil
}

func (q *question) decideVersion() (replaced bool, err error) {
	view, found := q.directory.m.Catalog().ViewByUID(q.view.UID)
	if !found {
		return false, viewUnknown(q.view.Name)
	}
	q.view = view
	if view.Serving == nil {
		return false, viewBuilding(view)
	}
	replaced = q.version != nil && q.version.Number != view.Serving.Number
	q.version = view.Serving
	q.request.View, q.request.Version = view.UID, view.Serving.Number
	return replaced, nil
}

// owners are whom to ask.
func (q *question) owners() ([]shardmap.Owner, error) {
	if q.of == nil {
		return q.directory.m.Owners(q.keyspace), nil
	}
	at, _, err := ownerOf(q.directory, q.declared, q.of)
	if err != nil {
		return nil, err
	}
	owner, found := q.directory.m.Owner(q.keyspace, q.directory.members[at].cluster.UID)
	if !found {
		return nil, mapHole(q.directory, q.declared, q.of)
	}
	return []shardmap.Owner{owner}, nil
}

// epoch is which map revision a part's log must have noted.
func (q *question) epoch(p *viewPart) uint64 {
	epoch := max(p.owner.MaxEpoch, epochFloor(q.declared, floorOf(q.freshness)))
	if q.view != nil {
		return max(epoch, q.view.Revision)
	}
	// All entries are counted by what the keyspace's views keep.
	for _, view := range q.directory.m.Catalog().ViewsOf(q.keyspace) {
		epoch = max(epoch, view.Revision)
	}
	return epoch
}

// gather asks every part until all that answer fit one map: the request or, as
// a step of several, what prepare makes of it. Such a step is given up where
// the view is replaced meanwhile.
func (q *question) gather(prepare func(p *viewPart)) (replaced bool, err error) {
	for _, p := range q.parts {
		p.reply = nil
	}
	pending := make([]*viewPart, 0, len(q.parts))
	for {
		pending = pending[:0]
		for _, p := range q.parts {
			if p.reply != nil || p.missing != nil {
				continue
			}
			p.request = q.request
			if prepare != nil {
				prepare(p)
			}
			pending = append(pending, p)
		}
		if err := q.fetch(pending); err != nil {
			return false, err
		}
		if q.newer == 0 {
			return false, q.someone()
		}
		if replaced, err = q.decideAnew(); err != nil || replaced && prepare != nil {
			return replaced, err
		}
	}
}

// fetch asks parts. It fails if one of them does that the answer can't be
// without; others are missing from then on. Those have four fifths of the time
// that is left: the rest is for the answer. But one whose index refuses
// connections has none: that it is not there is known, and the connection is
// dialled again and again whether or not somebody waits.
func (q *question) fetch(parts []*viewPart) error {
	round := q.ctx
	if q.partial {
		round = q.ctx.share()
		defer round.end()
	}
	landed, begun := make(chan *viewPart, len(parts)), 0
	for _, p := range parts {
		if p.begin(round, landed) {
			begun++
		} else {
			q.asking.Go(func() { p.settle(q.ask(round, p, q.epoch(p))) })
		}
	}
	q.end(round, parts, landed, begun)
	q.asking.Wait()
	if q.failed != nil {
		return q.failed
	}
	q.begun = q.begun || slices.ContainsFunc(parts, func(p *viewPart) bool { return !p.refused })
	if absent := q.waitAfterAll(parts); len(absent) > 0 {
		return q.fetch(absent)
	}
	return nil
}

// end takes the answers to parts that were begun, in the order in which they come. When
// ctx ends it waits for no more of them.
func (q *question) end(ctx context.Context, parts []*viewPart, landed <-chan *viewPart, begun int) {
	for ; begun > 0; begun-- {
		select {
		case p := <-landed:
			p.end(ctx)
			continue
		case <-ctx.Done():
		}
		for _, p := range parts {
			if p.flight != nil {
				p.end(ctx)
			}
		}
		return
	}
}

// fail is for a part that nobody will answer.
func (q *question) fail(p *viewPart, refusal *cairn.Error) {
	refusal = q.blame(p, refusal)
	if q.partial && (unreachable(refusal) || refusal.Reason == reasonOverloaded) && q.ctx.Err() == nil {
		p.lose(refusal)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed == nil {
		// The others are not waited for: what they would say changes nothing.
		q.failed = refusal
		q.ctx.stop()
	}
}

// lose makes a part one that the answer is without.
func (p *viewPart) lose(why *cairn.Error) { p.missing, p.More = why, false }

// unreachable tells whether an error says no more than that a cluster can't
// answer now.
func unreachable(err *cairn.Error) bool {
	return err.Kind == cairn.KindUnavailable || err.Kind == cairn.KindNotYet || err.Kind == cairn.KindDeadline
}

// blame is a refusal that says whose it is, but for what is wrong with the
// question itself.
func (q *question) blame(p *viewPart, refusal *cairn.Error) *cairn.Error {
	if refusal.Kind == cairn.KindInvalid || refusal.Field != "" || refusal.Reason == "CANCELLED" {
		return refusal
	}
	out, cluster := *refusal, q.cluster(&p.part).Name
	if errors.Is(refusal.Err, context.DeadlineExceeded) {
		out.Err = fmt.Errorf("cluster %s did not answer in time: %w", cluster, refusal.Err)
	} else {
		out.Err = fmt.Errorf("cluster %s: %w", cluster, refusal)
		out.Op, out.Key = "", nil // the text has them
	}
	return &out
}

// decideAnew decides by the newer map that a part wants. Where there is none
// in time, a partial answer is without the parts that want one.
func (q *question) decideAnew() (replaced bool, err error) {
	round := q.ctx
	if q.partial {
		round = q.ctx.share()
		defer round.end()
	}
	if err = q.pace(round); err == nil {
		replaced, err = q.decide(round, q.newer)
	}
	if err == nil || !q.partial || !unreachable(asError(err)) || q.ctx.Err() != nil || q.last == nil {
		return replaced, err
	}
	q.newer = 0
	for _, p := range q.parts {
		if p.missing == nil && p.refused {
			p.lose(q.blame(p, gaveUp(round, q.redecided, q.last)))
		}
	}
	return false, nil
}

// someone fails if nobody answered: an answer of nothing would say nothing.
func (q *question) someone() error {
	if slices.ContainsFunc(q.parts, func(p *viewPart) bool { return p.missing == nil }) || len(q.parts) == 0 {
		return nil
	}
	return q.parts[0].missing
}

// waitAfterAll are the parts that were given up at once, because nobody listens
// there, and are to be waited for after all: nobody has answered, and nobody
// else will.
func (q *question) waitAfterAll(parts []*viewPart) (absent []*viewPart) {
	if !q.hasty || q.begun || q.newer != 0 || q.someone() == nil {
		return nil
	}
	q.hasty = false
	for _, p := range parts {
		if p.missing != nil && refusesConnections(p.missing) {
			p.missing, p.More = nil, true
			absent = append(absent, p)
		}
	}
	return absent
}

// scattered is what the answer says of how it came about.
func (q *question) scattered() cairn.Scattered {
	out := cairn.Scattered{Token: q.token}
	for _, p := range q.parts {
		if p.missing != nil {
			out.Missing = append(out.Missing, cairn.MissingCluster{Cluster: q.cluster(&p.part).Name, Err: p.missing})
		}
	}
	return out
}
