package router

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"cairn"
	"cairn/router/cache"
	"cairn/shardmap/catalog"
)

// located is a router's cache of locations, and what keeps it true: for each cluster and
// keyspace that somebody asks for, one stream of changes.
type located struct {
	router *Router
	cache  *cache.Cache
	ctx    context.Context // ends when the router is closed
	cancel context.CancelFunc
	// One of so many answers is compared; checks has a place for each that is.
	checkEvery uint32
	checks     chan struct{}

	mu     sync.Mutex // guards closed
	closed bool
	work   sync.WaitGroup // followers and checks
}

func newLocated(r *Router, config CacheConfig) *located {
	l := &located{
		router: r, cache: cache.New(cache.Options{Bytes: config.Bytes, Bound: config.Staleness}),
		checkEvery: config.CheckEvery, checks: make(chan struct{}, mostChecks),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// start does something beside, and is false if the router is closed.
func (l *located) start(work func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.work.Go(work)
	}
	return !l.closed
}

// close ends the streams and waits for that.
func (l *located) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.work.Wait()
}

// fill takes in what an index that has noted a map revision has answered about a key. Of
// an index whose changes are not followed yet nothing is taken in, and that begins.
func (l *located) fill(cluster *catalog.Cluster, keyspace *catalog.Keyspace, key cairn.Key, result *cairn.Located, withAttributes bool, revision uint64) {
	if l == nil {
		return
	}
	id := cache.SourceID{Cluster: cluster.UID, Keyspace: keyspace.UID}
	source := l.cache.Source(id)
	if source == nil {
		if opened, isNew := l.cache.Open(id); isNew && !l.start(func() { l.follow(opened) }) {
			l.cache.Close(opened)
		}
		return
	}
	l.cache.Fill(source, key, cache.Fill{Located: result, WithAttributes: withAttributes, Revision: revision})
}

const (
	// longestFollowPause is the longest wait before a stream that broke is begun again.
	longestFollowPause = 2 * time.Second
	// silence is how long a stream that says nothing is taken for alive: ten
	// heartbeats.
	silence = 5 * time.Second
)

// follow has the cache told of a source's changes until the router is closed, or the
// cluster owns nothing of the keyspace any more.
func (l *located) follow(source *cache.Source) {
	defer l.cache.Close(source)
	var after uint64 // the index up to which the session is known, 0 in none
	for tries := 0; ; {
		err := l.stream(source, &after, func() { tries = 0 })
		switch {
		case l.ctx.Err() != nil:
			return
		case !l.owns(source.ID()):
			return
		case goesOn(err):
		default:
			source.End()
			after = 0
		}
		tries++
		if retry := l.router.config.Events.Retry; retry != nil {
			retry(l.retryEvent(source.ID(), err))
		}
		if !pause(l.ctx, followPause(tries, rand.Float64())) {
			return
		}
	}
}

// goesOn tells whether a stream that ended may be taken up where it was.
func goesOn(err error) bool {
	switch asError(err).Kind {
	case cairn.KindUnavailable, cairn.KindNotYet, cairn.KindDeadline, cairn.KindStale:
		return true
	}
	return false
}

// followPause is how long to wait before the so manieth try, from 1, by chance in [0, 1).
func followPause(try int, chance float64) time.Duration {
	whole := longestFollowPause
	if try < 8 {
		whole = min(whole, 20*time.Millisecond<<(try-1))
	}
	return whole/2 + time.Duration(chance*float64(whole/2))
}

// stream watches a source once, after an index that it moves on. It begins a session if
// that is 0.
func (l *located) stream(source *cache.Source, after *uint64, alive func()) error {
	id := source.ID()
	m, err := l.router.mapAt(l.ctx, 0)
	if err != nil {
		return err
	}
	d := l.router.connections.directory(m)
	at, found := d.find(id.Cluster)
	if !found {
		return cairn.Errorf(cairn.KindUnavailable, "CLUSTER_GONE", "cluster %s is not in the map", id.Cluster)
	}
	index, err := d.members[at].connection.get(d.members[at].cluster)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	return index.Watch(ctx, cairn.WatchRequest{Keyspace: id.Keyspace, After: *after}, func(batch cairn.WatchBatch) error {
		watchdog.Reset(silence)
		if *after == 0 {
			source.Begin(batch.Answer)
		} else {
			source.Take(batch)
		}
		*after = batch.Index
		alive()
		return nil
	})
}

// owns tells whether by the newest map a source's cluster owns a part of its keyspace.
func (l *located) owns(id cache.SourceID) bool {
	m := l.router.config.Topology.Map()
	if m == nil {
		return false
	}
	_, owns := m.Owner(id.Keyspace, id.Cluster)
	return owns
}

func (l *located) retryEvent(id cache.SourceID, err error) RetryEvent {
	event := RetryEvent{Verb: VerbFollow, Keyspace: id.Keyspace.String(), Cluster: id.Cluster.String(), Err: asError(err)}
	if m := l.router.config.Topology.Map(); m != nil {
		if keyspace, found := m.Catalog().KeyspaceByUID(id.Keyspace); found {
			event.Keyspace = keyspace.Name
		}
		if cluster, found := m.Catalog().ClusterByUID(id.Cluster); found {
			event.Cluster = cluster.Name
		}
	}
	return event
}
