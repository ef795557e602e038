package etcdstore

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
	"cairn/shardmap"
)

// askAfter is how long a wait gives the watch to bring a revision by itself.
const askAfter = time.Millisecond

// Store is the shard map in etcd. It is safe for concurrent use.
type Store struct {
	config Config
	client *clientv3.Client

	published atomic.Pointer[shardmap.Map]
	// provenAt is when the Map was last known to be current, in nanoseconds
	// since 1970.
	provenAt atomic.Int64
	// live tells whether what is published was seen in etcd, not only in the
	// journal.
	live atomic.Bool

	committer committer
	journal   *journal // nil without one

	stop context.CancelFunc
	done sync.WaitGroup

	mu          sync.Mutex
	changed     chan struct{} // closed and replaced at each publication
	subscribers map[chan struct{}]struct{}
	leftovers   []generation
	foundings   map[string]record // as of the Map or later; nil while that is the journal's
	floor       uint64            // no Map below this revision is published
	lastErr     error             // why there is no newer Map; nil while following
}

// Open starts following etcd, and returns once there is a Map: etcd's, or the
// journal's if etcd does not answer within Config.StartWait. With neither it
// goes on trying, saying so through Events, until ctx ends (KindUnavailable).
// Map is never nil after Open. ctx does not bound the Store's life: Close does.
func Open(ctx context.Context, config Config) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		config:      config,
		client:      config.Client,
		changed:     make(chan struct{}),
		subscribers: map[chan struct{}]struct{}{},
	}
	s.committer = committer{name: cairn.NewUID(), turn: make(chan struct{}, 1)}
	var fromJournal *journaled
	if config.Journal != "" {
		s.journal, fromJournal = openJournal(config.Journal, config.Events.JournalFailed)
		if fromJournal != nil {
			s.floor = fromJournal.state.current.Revision()
		}
	}
	life, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(func() { s.follow(life) })
	s.done.Go(func() { s.prove(life) })
	if config.SweepEvery > 0 {
		s.done.Go(func() { s.sweepEvery(life, config.SweepEvery) })
	}
	if s.journal != nil {
		s.done.Go(func() { s.journal.run(life) })
	}
	if err := s.awaitFirst(ctx, fromJournal); err != nil {
		_ = s.Close() // the reason why there is no Map is the one to tell
		return nil, err
	}
	return s, nil
}

// awaitFirst waits for the first Map, and settles for the journal's.
func (s *Store) awaitFirst(ctx context.Context, fromJournal *journaled) error {
	var settle <-chan time.Time
	if fromJournal != nil {
		timer := time.NewTimer(s.config.StartWait)
		defer timer.Stop()
		settle = timer.C
	}
	for {
		changed := s.onChange()
		if s.Map() != nil {
			return nil
		}
		select {
		case <-changed:
		case <-settle:
			settle = nil
			if s.startFromJournal(fromJournal) && s.config.Events.StartedFromJournal != nil {
				s.config.Events.StartedFromJournal(fromJournal.state.current.Revision(), s.config.Now().Sub(fromJournal.provenAt))
			}
		case <-ctx.Done():
			return s.unavailable("no shard map yet")
		}
	}
}

// unavailable is the error for a caller whose time is up, with the reason why
// etcd has not helped, if there is one.
func (s *Store) unavailable(what string) error {
	s.mu.Lock()
	reason := s.lastErr
	s.mu.Unlock()
	if reason == nil {
		return cairn.Errorf(cairn.KindDeadline, "ETCD_TIMEOUT", "%s, and the time is up", what)
	}
	return cairn.Errorf(cairn.KindUnavailable, "ETCD_UNAVAILABLE", "%s: etcd at %v: %w", what, s.client.Endpoints(), reason)
}

// Map is the newest Map. It takes no lock.
func (s *Store) Map() *shardmap.Map { return s.published.Load() }

// Wait returns a Map of at least a revision, as soon as there is one. If ctx
// ends first: KindUnavailable while etcd does not answer, else KindDeadline.
func (s *Store) Wait(ctx context.Context, revision uint64) (*shardmap.Map, error) {
	// The revision may be of a change outside the prefix, which the watch learns
	// of only when asked; one inside comes by itself, most often at once.
	ask := time.NewTimer(askAfter)
	defer ask.Stop()
	for {
		changed := s.onChange()
		if m := s.Map(); m.Revision() >= revision {
			return m, nil
		}
		select {
		case <-changed:
		case <-ask.C:
			if err := s.requestProgress(ctx); err != nil && ctx.Err() == nil {
				return nil, s.etcdError("ask for progress", err)
			}
			ask.Reset(s.config.ProveEvery)
		case <-ctx.Done():
			return nil, s.unavailable("no shard map of a new enough revision")
		}
	}
}

// Refresh returns a Map that is at least as new as etcd was at the call.
// KindUnavailable if etcd does not answer before ctx ends.
func (s *Store) Refresh(ctx context.Context) (*shardmap.Map, error) {
	// Any linearizable read tells etcd's present revision.
	response, err := s.client.Get(ctx, s.config.Prefix, clientv3.WithCountOnly())
	if err != nil {
		return nil, s.etcdError("read the revision", err)
	}
	return s.Wait(ctx, uint64(response.Header.Revision))
}

// Subscribe returns a channel that gets a value after each new Map; several
// Maps may come as one. cancel ends the subscription.
func (s *Store) Subscribe() (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, c)
	}
}

// Staleness is how long ago the Map was last proven to be current. While etcd
// answers, it stays about Config.ProveEvery.
func (s *Store) Staleness() time.Duration {
	return max(0, s.config.Now().Sub(time.Unix(0, s.provenAt.Load())))
}

// Close stops following and waits for the Store's goroutines. The Map stays
// readable. The journal is synced and closed; its error is returned.
func (s *Store) Close() error {
	s.stop()
	s.done.Wait()
	s.forgetCommitter()
	if s.journal != nil {
		return s.journal.close()
	}
	return nil
}
