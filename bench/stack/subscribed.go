package stack

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
)

// Subscribed is a map in etcd, which is a process of its own, and many stores in this
// process that follow it, each by a connection of its own as a router's would be.
type Subscribed struct {
	deployment *Deployment
	clients    []*clientv3.Client
	changes    *etcdstore.Store // what changes the map
	followers  []*follower
	keyspace   cairn.UID
	pinned     bool
}

// follower is one store, and when it first had each revision.
type follower struct {
	store *etcdstore.Store
	stop  func()

	mu   sync.Mutex
	seen *sync.Cond
	at   map[uint64]time.Time // by the revision of the map
	last uint64
}

// Subscribe starts etcd with a keyspace of 64 shards, and so many followers.
func Subscribe(ctx context.Context, followers int) (*Subscribed, error) {
	d, err := newDeployment()
	if err != nil {
		return nil, err
	}
	s := &Subscribed{deployment: d}
	if err := s.start(ctx, followers); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Subscribed) start(ctx context.Context, followers int) error {
	first, err := s.deployment.spawn(ctx, partEtcd, filepath.Join(s.deployment.folder, "etcd"))
	if err != nil {
		return err
	}
	admin, etcd, _ := strings.Cut(first.Address, " ")
	if err := apply(ctx, admin, clusterAt(clusterName), keyspace()); err != nil {
		return err
	}
	if s.changes, err = s.open(ctx, etcd); err != nil {
		return err
	}
	for _, k := range s.changes.Map().Catalog().Keyspaces() {
		s.keyspace = k.UID
	}
	for range followers {
		store, err := s.open(ctx, etcd)
		if err != nil {
			return err
		}
		s.followers = append(s.followers, follow(store))
	}
	return nil
}

func (s *Subscribed) open(ctx context.Context, etcd string) (*etcdstore.Store, error) {
	connected, err := clientv3.New(clientv3.Config{Endpoints: []string{etcd}, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	s.clients = append(s.clients, connected)
	return etcdstore.Open(ctx, etcdstore.Config{Client: connected})
}

func follow(store *etcdstore.Store) *follower {
	f := &follower{store: store, at: map[uint64]time.Time{}}
	f.seen = sync.NewCond(&f.mu)
	changed, cancel := store.Subscribe()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-changed:
			case <-done:
				return
			}
			now, revision := time.Now(), store.Map().Revision()
			f.mu.Lock()
			f.at[revision], f.last = now, revision
			f.mu.Unlock()
			f.seen.Broadcast()
		}
	}()
	f.stop = func() {
		cancel()
		close(done)
		<-ended
	}
	return f
}

// when is when the follower had a revision, which it waits for.
func (f *follower) when(revision uint64) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.last < revision {
		f.seen.Wait()
	}
	at := f.at[revision]
	delete(f.at, revision)
	return at
}

// Change changes the map once, and returns after how long the last of the followers
// had it: since the change was sent to etcd, which then committed it, and since etcd
// had answered that it did.
func (s *Subscribed) Change(ctx context.Context) (sinceSent, sinceAnswered time.Duration, err error) {
	s.pinned = !s.pinned
	change, err := shardmap.Pin(s.changes.Map(), s.keyspace, 1, s.pinned)
	if err != nil {
		return 0, 0, err
	}
	sent := time.Now()
	revision, err := s.changes.Commit(ctx, change)
	if err != nil {
		return 0, 0, err
	}
	answered := time.Now()
	if _, err := s.changes.Wait(ctx, revision); err != nil {
		return 0, 0, err
	}
	var last time.Time
	for _, f := range s.followers {
		if at := f.when(revision); at.After(last) {
			last = at
		}
	}
	return last.Sub(sent), last.Sub(answered), nil
}

// Close ends everything.
func (s *Subscribed) Close() error {
	var errs []error
	for _, f := range s.followers {
		f.stop()
		errs = append(errs, f.store.Close())
	}
	if s.changes != nil {
		errs = append(errs, s.changes.Close())
	}
	for _, c := range s.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, s.deployment.Stop())...)
}
