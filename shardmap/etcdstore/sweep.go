package etcdstore

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// A committer's key is swept when it was not used for so long.
	committerAge = 24 * time.Hour
	// sweepChunk is how many shards are deleted at a time, so that a sweep is
	// no burst for those who watch.
	sweepChunk = 1_000
)

// Sweep deletes the shards of keyspaces that are neither live nor being
// created, as of a Map at least as new as the call, and returns how many. It
// may run anywhere at any time: what it deletes can never become live.
// Beside that it deletes what the Store keeps beyond its bounds.
// KindUnavailable if etcd does not answer; what was deleted by then is.
func (s *Store) Sweep(ctx context.Context) (shards int64, err error) {
	if _, err := s.Refresh(ctx); err != nil {
		return 0, err
	}
	s.mu.Lock()
	leftovers := slices.Clone(s.leftovers)
	s.mu.Unlock()
	for _, g := range leftovers {
		n, err := s.sweepGeneration(ctx, g)
		shards += n
		if n > 0 && s.config.Events.Swept != nil {
			s.config.Events.Swept(g.keyspace, n)
		}
		if err != nil {
			return shards, err
		}
	}
	if err := s.sweepFounders(ctx); err != nil {
		return shards, err
	}
	if err := s.sweepHistory(ctx); err != nil {
		return shards, err
	}
	return shards, s.sweepCommitters(ctx)
}

func (s *Store) sweepGeneration(ctx context.Context, g generation) (deleted int64, err error) {
	folder := s.config.Prefix + g.folder()
	for {
		page, err := s.client.Get(ctx, folder, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(sweepChunk))
		if err != nil {
			return deleted, s.etcdError("sweep", err)
		}
		if len(page.Kvs) == 0 {
			return deleted, nil
		}
		after := string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
		response, err := s.client.Delete(ctx, folder, clientv3.WithRange(after))
		if err != nil {
			return deleted, s.etcdError("sweep", err)
		}
		deleted += response.Deleted
	}
}

// sweepCommitters deletes the keys of Stores that ended without closing.
func (s *Store) sweepCommitters(ctx context.Context) error {
	response, err := s.client.Get(ctx, s.config.Prefix+committersFolder, clientv3.WithPrefix())
	if err != nil {
		return s.etcdError("sweep", err)
	}
	for _, kv := range response.Kvs {
		var last committed
		_ = json.Unmarshal(kv.Value, &last) // what can't be read is as old as can be
		if s.config.Now().Sub(time.Unix(last.Time, 0)) < committerAge {
			continue
		}
		unused := clientv3.Compare(clientv3.ModRevision(string(kv.Key)), "=", kv.ModRevision)
		if _, err := s.client.Txn(ctx).If(unused).Then(clientv3.OpDelete(string(kv.Key))).Commit(); err != nil {
			return s.etcdError("sweep", err)
		}
	}
	return nil
}

// sweepEvery sweeps now and then. What fails is tried again the next time.
func (s *Store) sweepEvery(ctx context.Context, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.live.Load() {
			attempt, cancel := context.WithTimeout(ctx, pause)
			_, _ = s.Sweep(attempt) // etcd's failures are told by those who follow it
			cancel()
		}
	}
}
