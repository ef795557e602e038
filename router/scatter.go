package router

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// trial is what a part of a request has been through.
type trial struct {
	// tries is how often it was refused, last the last refusal.
	tries int
	last  *cairn.Error
	// revision is how new a map the next try needs.
	revision uint64
	// unsure: an earlier try may have taken effect.
	unsure bool
	// unnamed: to be asked for without the request's id.
	unnamed bool
	// held is since when it is held back; zero if it never was.
	held time.Time
}

// errand is one group on its way: what it was decided by, whom it asks, and
// what it has been through.
type errand struct {
	directory *directory
	keyspace  *catalog.Keyspace
	group     *group
	trial     trial
}

func (e *errand) member() *member { return &e.directory.members[e.group.member] }

func (e *errand) revision() uint64 { return e.directory.m.Revision() }

// worker is what a scatter does with each group. Its methods are called from
// several goroutines, never for one position at the same time.
type worker interface {
	// ask asks the group's cluster. It returns the positions that got no
	// answer, if any, and what was learnt about them.
	ask(ctx context.Context, index Index, e *errand) (refused []int32, learnt verdict)
	// fail ends positions without an answer.
	fail(positions []int32, err *cairn.Error)
}

// scatter carries a request of many keys to the clusters that own them, each
// part tried again by itself until it is answered, given up, or out of time.
type scatter struct {
	router   *Router
	verb     Verb
	name     string
	keyspace cairn.UID
	// floor is the least epoch to ask for; see epochFloor.
	token  cairn.Token
	keys   []cairn.Key
	worker worker
}

var routings = sync.Pool{New: func() any { return new(routing) }}

// run sees to the keys at positions, all if nil, and returns when each has an
// outcome.
func (s *scatter) run(ctx context.Context, positions []int32, t trial) {
	way := routings.Get().(*routing)
	defer func() {
		way.forget()
		routings.Put(way)
	}()
	for positions == nil || len(positions) > 0 {
		d, keyspace, err := s.decideBy(ctx, t.revision)
		if err == nil {
			err = way.route(d, keyspace, epochFloor(keyspace, s.token), s.keys, positions)
		}
		if err != nil {
			learnt := learnRead(err, cairn.Answer{}, t.revision)
			if !s.prepareNext(ctx, "", s.count(positions), learnt, &t) {
				s.failAll(positions, s.final(ctx, learnt, t))
				return
			}
			continue
		}
		if len(way.groups) == 1 {
			positions, t = s.attempt(ctx, &errand{d, keyspace, &way.groups[0], t})
			continue
		}
		var others sync.WaitGroup
		for i := range way.groups[1:] {
			others.Go(func() { s.finish(ctx, &errand{d, keyspace, &way.groups[i+1], t}) })
		}
		s.finish(ctx, &errand{d, keyspace, &way.groups[0], t})
		others.Wait()
		return
	}
}

// finish sees to one group to its end.
func (s *scatter) finish(ctx context.Context, e *errand) {
	if rest, t := s.attempt(ctx, e); len(rest) > 0 {
		s.run(ctx, rest, t)
	}
}

// attempt asks for a group once. It returns the positions that are to be tried
// again, never nil, in a slice of their own.
func (s *scatter) attempt(ctx context.Context, e *errand) ([]int32, trial) {
	member, t := e.member(), e.trial
	refused := e.group.positions
	var learnt verdict
	if index, err := member.connection.get(member.cluster); err != nil {
		learnt = learnRead(err, cairn.Answer{}, e.revision())
	} else {
		refused, learnt = s.worker.ask(ctx, index, e)
	}
	if len(refused) == 0 {
		return []int32{}, t
	}
	if !s.prepareNext(ctx, member.cluster.Name, len(refused), learnt, &t) {
		s.worker.fail(refused, s.final(ctx, learnt, t))
		return []int32{}, t
	}
	return append([]int32(nil), refused...), t
}

// decideBy is the directory to decide by, of a map at least as new as
// revision.
func (s *scatter) decideBy(ctx context.Context, revision uint64) (*directory, *catalog.Keyspace, error) {
	m, err := s.router.mapAt(ctx, revision)
	if err != nil {
		return nil, nil, err
	}
	keyspace, found := m.Catalog().KeyspaceByUID(s.keyspace)
	if !found {
		return nil, nil, keyspaceNotFound(s.name)
	}
	return s.router.connections.directory(m), keyspace, nil
}

// prepareNext does what a verdict asks for before the next try. It is false if
// there is to be none.
func (s *scatter) prepareNext(ctx context.Context, cluster string, keys int, learnt verdict, t *trial) bool {
	return s.router.prepareNext(ctx, RetryEvent{Verb: s.verb, Keyspace: s.name, Cluster: cluster, Keys: keys}, learnt, t)
}

func (r *Router) prepareNext(ctx context.Context, event RetryEvent, learnt verdict, t *trial) bool {
	if learnt.action == giveUp {
		return false
	}
	t.tries++
	t.last = learnt.refusal
	t.revision = max(t.revision, learnt.revision)
	t.unsure = t.unsure || learnt.action == repeat
	t.unnamed = t.unnamed || learnt.action == unnamed
	r.retrying(event, learnt.refusal)
	if learnt.action == hold {
		if t.held.IsZero() {
			t.held = time.Now()
		}
		return r.holds.wait(ctx, learnt.held, t.held, pauseBefore(t.tries, rand.Float64()))
	}
	// Waiting for the new map is pause enough, but not for ever: two indexes
	// whose logs disagree would otherwise be asked in turn without one.
	if learnt.action == reroute && t.tries <= 2 {
		return ctx.Err() == nil
	}
	return pause(ctx, pauseBefore(t.tries, rand.Float64()))
}

// retrying tells the listener of a part that is tried again.
func (r *Router) retrying(event RetryEvent, refusal *cairn.Error) {
	if r.config.Events.Retry != nil {
		event.Err = refusal
		r.config.Events.Retry(event)
	}
}

// final is the error of a part that is not tried again.
func (s *scatter) final(ctx context.Context, learnt verdict, t trial) *cairn.Error {
	err := learnt.refusal
	if learnt.action != giveUp || learnt.refusal.Kind == cairn.KindDeadline && t.last != nil {
		err = gaveUp(ctx, t.tries, t.last)
	}
	return t.judge(err)
}

// judge is an error that an index's log did not decide, as one who asks for a
// write must be told it: it says nothing about an earlier try.
func (t *trial) judge(err *cairn.Error) *cairn.Error {
	if !t.unsure || err.Kind == cairn.KindUnknown {
		return err
	}
	return outcomeUnknown(err)
}

func (s *scatter) count(positions []int32) int {
	if positions == nil {
		return len(s.keys)
	}
	return len(positions)
}

func (s *scatter) failAll(positions []int32, err *cairn.Error) {
	if positions == nil {
		positions = make([]int32, len(s.keys))
		for i := range positions {
			positions[i] = int32(i)
		}
	}
	s.worker.fail(positions, err)
}

// pause waits, and is false if the context would end before.
func pause(ctx context.Context, length time.Duration) bool {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= length {
		return false
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// mapAt is a map at least as new as revision.
func (r *Router) mapAt(ctx context.Context, revision uint64) (*shardmap.Map, error) {
	m := r.config.Topology.Map()
	if m != nil && m.Revision() >= revision {
		return m, nil
	}
	if m == nil && revision == 0 {
		return nil, cairn.Errorf(cairn.KindUnavailable, "MAP_MISSING", "the router has no map yet; is etcd up?")
	}
	return r.config.Topology.Wait(ctx, revision)
}

func keyspaceNotFound(name string) *cairn.Error {
	e := cairn.Errorf(cairn.KindNotFound, "KEYSPACE_NOT_FOUND", "there is no keyspace %q", name)
	e.Field = "keyspace"
	return e
}
