package router

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"cairn"
	"cairn/shardmap"
)

// mapPeriod is how often a watch looks for a newer map.
const mapPeriod = 200 * time.Millisecond

// Watch delivers every change to a keyspace after a token, from all clusters
// that own a part of it: in the order of its shard, at least once, one call of
// deliver at a time. The zero token stands for now. The first delivery has no
// changes and tells by its token where the watch begins; it comes once every
// owner has been reached. One without changes comes now and then, so that the
// token to resume from does not grow old.
//
// An owner that can't be reached is tried again for as long as the watch
// lives; one that comes to own a part is followed from then on. Watch ends
// with the error of deliver or, always as *cairn.Error, with KindDeadline when
// its context ends, KindCompacted (STAMP_COMPACTED) when an owner no longer
// holds what comes after the token, KindNotFound when the keyspace is not or
// no longer there; never nil.
//
// A token from another verb than Watch speaks of the clusters that answered
// alone; the others are followed from the oldest change that they still hold.
func (r *Router) Watch(ctx context.Context, keyspace string, from cairn.Token, deliver func(cairn.Changes) error) error {
	began := r.began()
	err := r.watch(ctx, keyspace, from, false, deliver)
	r.ended(VerbWatch, keyspace, 0, 0, began, err)
	return err
}

func (r *Router) watch(ctx context.Context, keyspace string, from cairn.Token, snapshot bool, deliver func(cairn.Changes) error) error {
	bound, own := r.bound(ctx)
	m, found, err := r.open(bound, keyspace, cairn.Freshness{Level: cairn.AtLeast, Token: from})
	own.end()
	if err != nil {
		return asError(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watching{
		router: r, name: keyspace, keyspace: found.UID, m: m, snapshot: snapshot, deliver: deliver,
		fromNow: from.Epoch == 0 && len(from.Clusters()) == 0,
		token:   from, follows: make(map[cairn.UID]*following), behind: make(map[cairn.UID]delivery), ended: make(map[cairn.UID]uint64),
		cancels: make(map[cairn.UID]context.CancelFunc),
		batches: make(chan delivery), failures: make(chan error),
	}
	defer w.followers.Wait()
	defer cancel()
	return w.run(ctx)
}

// delivery is one batch on its way from a follower.
type delivery struct {
	cluster cairn.UID
	batch   cairn.WatchBatch
	// released says, instead of a batch, that the cluster no longer knows the
	// keyspace, and by the map owns nothing of it.
	released bool
	// taken is told once the batch has been delivered.
	taken chan<- struct{}
}

// watching is one watch. Its fields belong to the goroutine of run; followers
// have the channels alone.
type watching struct {
	router   *Router
	name     string
	keyspace cairn.UID
	deliver  func(cairn.Changes) error
	// snapshot has it begin with all entries.
	snapshot bool
	// fromNow holds until the first delivery: clusters begin at their present.
	fromNow bool

	m       *shardmap.Map
	token   cairn.Token
	follows map[cairn.UID]*following
	cancels map[cairn.UID]context.CancelFunc
	// held are batches with changes that came before the first delivery, behind
	// those whose first change waits for another cluster; see split.
	held   []delivery
	behind map[cairn.UID]delivery
	// ended are clusters that have said that they know nothing more, and what
	// their last fence was then.
	ended map[cairn.UID]uint64

	batches   chan delivery
	failures  chan error
	followers sync.WaitGroup
}

func (w *watching) run(ctx context.Context) error {
	w.noteOthers(ctx)
	if err := w.decide(ctx, w.m); err != nil {
		return err
	}
	if !w.fromNow {
		// Where it begins is known: no need to reach anyone for that.
		if err := w.begin(ctx); err != nil {
			return err
		}
	}
	looks := time.NewTicker(mapPeriod)
	defer looks.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return asError(ctx.Err())
		case err = <-w.failures:
		case d := <-w.batches:
			err = w.take(ctx, d)
		case <-looks.C:
			if m := w.router.config.Topology.Map(); m != nil && m.Revision() > w.m.Revision() {
				err = w.decide(ctx, m)
			}
		}
		if err != nil {
			return err
		}
	}
}

// noteOthers notes where the clusters stand that own nothing of the keyspace,
// so that one which comes to own a part is followed from before that. One that
// does not answer is followed from its oldest change if it comes to that.
func (w *watching) noteOthers(ctx context.Context) {
	if !w.fromNow {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	d := w.router.connections.directory(w.m)
	positions := make([]uint64, len(d.members))
	var asked sync.WaitGroup
	for i := range d.members {
		member := &d.members[i]
		if _, owns := w.m.Owner(w.keyspace, member.cluster.UID); owns {
			continue
		}
		asked.Go(func() {
			if index, err := member.connection.get(member.cluster); err == nil {
				if status, err := index.Status(ctx, 0); err == nil {
					positions[i] = status.AppliedIndex
				}
			}
		})
	}
	asked.Wait()
	for i, position := range positions {
		if position > 0 {
			w.token = w.token.With(d.members[i].cluster.UID, cairn.Stamp{Index: position})
		}
	}
}

// decide begins and ceases to follow clusters by a newer map.
func (w *watching) decide(ctx context.Context, m *shardmap.Map) error {
	if _, found := m.Catalog().KeyspaceByUID(w.keyspace); !found {
		return keyspaceNotFound(w.name)
	}
	w.m = m
	begin, cease := whomToFollow(m, w.keyspace, w.follows, w.token, w.ended)
	for _, cluster := range cease {
		w.cease(cluster)
	}
	for _, cluster := range begin {
		position := whereToBegin(cluster, w.token, w.fromNow)
		w.follows[cluster] = &following{at: position}
		follower, cancel := context.WithCancel(ctx)
		w.cancels[cluster] = cancel
		w.followers.Go(func() { w.follow(follower, cluster, position) })
	}
	if w.fromNow {
		return w.beginIfReady(ctx)
	}
	return nil
}

// cease ends following a cluster.
func (w *watching) cease(cluster cairn.UID) {
	w.cancels[cluster]()
	delete(w.cancels, cluster)
	delete(w.follows, cluster)
	delete(w.behind, cluster)
}

// take delivers a batch, or holds it until the watch has begun.
func (w *watching) take(ctx context.Context, d delivery) error {
	each := w.follows[d.cluster]
	if each == nil {
		// It came while its cluster ceased to be followed: nothing is lost, a
		// cluster is let go only after it had said all.
		d.taken <- struct{}{}
		return nil
	}
	if d.released {
		w.ended[d.cluster] = lastFence(w.m, w.keyspace, d.cluster)
		w.cease(d.cluster)
		if err := w.decide(ctx, w.m); err != nil {
			return err
		}
		return w.passHeld(ctx) // nobody waits for it any more
	}
	if w.fromNow {
		w.held = append(w.held, d)
		if !each.begun {
			each.begun = true
			// What the first batch carries comes after the beginning.
			each.at = d.batch.Index
			if len(d.batch.Changes) > 0 {
				each.at = d.batch.Changes[0].Stamp.Index - 1
			}
			w.token = w.token.With(d.cluster, cairn.Stamp{Index: each.at})
		}
		return w.beginIfReady(ctx)
	}
	return w.pass(ctx, d)
}

// beginIfReady makes the first delivery once every owner has been heard.
func (w *watching) beginIfReady(ctx context.Context) error {
	for _, each := range w.follows {
		if !each.begun {
			return nil
		}
	}
	return w.begin(ctx)
}

// begin makes the first delivery, and then those that were held.
func (w *watching) begin(ctx context.Context) error {
	w.fromNow = false
	for _, owner := range w.m.Owners(w.keyspace) {
		w.token = w.token.With(owner.Cluster, cairn.Stamp{Epoch: owner.MaxEpoch})
	}
	if w.snapshot {
		if err := w.tellEntries(ctx); err != nil {
			return err
		}
	}
	if err := w.deliver(cairn.Changes{Token: w.token}); err != nil {
		return err
	}
	for _, d := range w.held {
		if err := w.pass(ctx, d); err != nil {
			return err
		}
	}
	w.held = nil
	return nil
}

// pass delivers one batch with names and moves the token past it.
func (w *watching) pass(ctx context.Context, d delivery) error {
	if d.batch.Revision > w.m.Revision() {
		if err := w.catchUp(ctx, d.batch.Revision); err != nil {
			return err
		}
	}
	each := w.follows[d.cluster]
	if each == nil {
		d.taken <- struct{}{}
		return nil
	}
	now, rest := w.split(d)
	if err := w.passParts(ctx, now, rest); err != nil {
		return err
	}
	return w.passHeld(ctx)
}

// passParts delivers the part of a batch that may be, and keeps the rest.
func (w *watching) passParts(ctx context.Context, now, rest delivery) error {
	each := w.follows[now.cluster]
	if each == nil {
		now.taken <- struct{}{}
		return nil
	}
	waits := len(rest.batch.Changes) > 0
	if !waits || len(now.batch.Changes) > 0 {
		stamp := cairn.Stamp{Index: now.batch.Index}
		for _, change := range now.batch.Changes {
			stamp.Epoch = max(stamp.Epoch, change.Stamp.Epoch)
		}
		w.token = w.token.With(now.cluster, stamp)
		if err := w.deliver(cairn.Changes{Changes: w.named(now), Token: w.token}); err != nil {
			return err
		}
	}
	// Where the part is empty as well: another cluster's changes may wait for that.
	each.at, each.noted, each.begun = now.batch.Index, max(each.noted, now.batch.Revision), true
	if waits {
		w.behind[now.cluster] = rest
		return nil
	}
	now.taken <- struct{}{}
	if _, owns := w.m.Owner(w.keyspace, now.cluster); !owns {
		return w.decide(ctx, w.m)
	}
	return nil
}

// catchUp takes a map at least as new as one that an owner has noted. Without
// one the watch goes on by the map it has: names may be missing, no change is.
func (w *watching) catchUp(ctx context.Context, revision uint64) error {
	wait, cancel := context.WithTimeout(ctx, w.router.timeout)
	defer cancel()
	if m, err := w.router.mapAt(wait, revision); err == nil {
		return w.decide(ctx, m)
	}
	return nil
}

// named is a batch's changes with names.
func (w *watching) named(d delivery) []cairn.NamedChange {
	cluster, found := w.m.Catalog().ClusterByUID(d.cluster)
	keyspace, declared := w.m.Catalog().KeyspaceByUID(w.keyspace)
	if !found || !declared || len(d.batch.Changes) == 0 {
		return nil
	}
	names := naming{cluster: cluster, keyspace: keyspace}
	out := make([]cairn.NamedChange, len(d.batch.Changes))
	entries := make([]cairn.NamedEntry, 0, 2*len(d.batch.Changes))
	name := func(e *cairn.Entry) *cairn.NamedEntry {
		if e == nil {
			return nil
		}
		entry, _ := names.entry(e)
		if entry.Primary == nil && len(e.Nodes) > 0 {
			// The node has been removed since: its number is all that is left.
			entry.Primary = &cairn.Node{ID: e.Nodes[0]}
		}
		entries = append(entries, entry)
		return &entries[len(entries)-1]
	}
	for i := range d.batch.Changes {
		change := &d.batch.Changes[i]
		out[i] = cairn.NamedChange{
			Key: change.Key, Shard: change.Shard, Time: change.Time,
			Before: name(change.Before), After: name(change.After),
		}
	}
	return out
}

// follow keeps watching one cluster from a log index on until it must end.
func (w *watching) follow(ctx context.Context, cluster cairn.UID, at uint64) {
	taken := make(chan struct{}, 1)
	for tries := 0; ; {
		err := w.watchCluster(ctx, cluster, at, func(batch cairn.WatchBatch) error {
			select {
			case w.batches <- delivery{cluster: cluster, batch: batch, taken: taken}:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case <-taken:
			case <-ctx.Done():
				return ctx.Err()
			}
			at, tries = batch.Index, 0
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		if fatal := fatalToWatch(err); fatal != nil {
			select {
			case w.failures <- w.explainFailure(cluster, at, fatal):
			case <-ctx.Done():
			}
			return
		}
		if asError(err).Kind == cairn.KindStale && w.ownsNothing(cluster) {
			select {
			case w.batches <- delivery{cluster: cluster, released: true, taken: taken}:
			case <-ctx.Done():
			}
			return
		}
		tries++
		if retry := w.router.config.Events.Retry; retry != nil {
			retry(RetryEvent{Verb: VerbWatch, Keyspace: w.name, Cluster: w.nameOf(cluster), Err: asError(err)})
		}
		if !pause(ctx, pauseBefore(tries, rand.Float64())) {
			// The deadline is near: wait for it.
			<-ctx.Done()
			return
		}
	}
}

// watchCluster watches at the address that the newest map has.
func (w *watching) watchCluster(ctx context.Context, cluster cairn.UID, after uint64, deliver func(cairn.WatchBatch) error) error {
	m, err := w.router.mapAt(ctx, 0)
	if err != nil {
		return err
	}
	d := w.router.connections.directory(m)
	at, found := d.find(cluster)
	if !found {
		return cairn.Errorf(cairn.KindUnavailable, "CLUSTER_GONE", "cluster %s is not in the map", cluster)
	}
	index, err := d.members[at].connection.get(d.members[at].cluster)
	if err != nil {
		return err
	}
	return index.Watch(ctx, cairn.WatchRequest{Keyspace: w.keyspace, After: after}, deliver)
}

// ownsNothing tells whether by the newest map a cluster owns nothing of the
// keyspace. It is called by followers.
func (w *watching) ownsNothing(cluster cairn.UID) bool {
	m := w.router.config.Topology.Map()
	if m == nil {
		return false
	}
	_, owns := m.Owner(w.keyspace, cluster)
	return !owns
}

// fatalToWatch is the error if trying again can't heal it.
func fatalToWatch(err error) *cairn.Error {
	e := asError(err)
	switch e.Kind {
	case cairn.KindCompacted, cairn.KindInvalid, cairn.KindInternal, cairn.KindCorrupt, cairn.KindUnimplemented:
		return e
	}
	return nil
}

// nameOf is a cluster's name, its uid where the newest map lacks it. It is
// called by followers.
func (w *watching) nameOf(cluster cairn.UID) string {
	if m := w.router.config.Topology.Map(); m != nil {
		if found, ok := m.Catalog().ClusterByUID(cluster); ok {
			return found.Name
		}
	}
	return cluster.String()
}

func (w *watching) explainFailure(cluster cairn.UID, at uint64, err *cairn.Error) error {
	about := "cluster " + w.nameOf(cluster)
	if at == firstIndex {
		about += ", of which the token says nothing (watch from the token of a watch instead)"
	}
	explained := *err
	explained.Err = fmt.Errorf("%s: %w", about, cmp.Or(err.Err, errors.New(err.Kind.String())))
	return &explained
}
