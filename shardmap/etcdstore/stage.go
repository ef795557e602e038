package etcdstore

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/shardmap"
)

const (
	// stageLease is how long the shards of a keyspace being created are safe
	// from the sweep.
	stageLease = 10 * time.Minute
	// stageChunk is how many shards one transaction writes, and stageParallel
	// how many of them are under way at once.
	stageChunk    = 100
	stageParallel = 4
)

// creatingValue is the record of a keyspace being created: it only has to be
// there.
var creatingValue = []byte(`{}`)

// stage writes the shards of keyspaces being created, unseen, and makes t the
// transaction that takes effect only while their marks stand. finish is to be
// called with t's outcome.
func (s *Store) stage(ctx context.Context, t *transaction) (finish func(error), err error) {
	lease, err := s.client.Grant(ctx, int64(stageLease/time.Second))
	if err != nil {
		return nil, s.etcdError("begin creating a keyspace", err)
	}
	finish = func(outcome error) { s.finishStage(lease.ID, t, outcome) }
	for g, shards := range t.staged {
		if err := s.stageKeyspace(ctx, t, lease.ID, g, shards); err != nil {
			finish(err)
			return nil, err
		}
	}
	return finish, nil
}

func (s *Store) stageKeyspace(ctx context.Context, t *transaction, lease clientv3.LeaseID, g generation, shards []shardmap.Shard) error {
	mark := s.config.Prefix + creatingKey(g.keyspace)
	// The uid is new, so that a mark that stands is this one, put by an attempt
	// whose answer was lost.
	marked, err := s.client.Put(ctx, mark, string(creatingValue), clientv3.WithLease(lease))
	if err != nil {
		return s.etcdError("begin creating a keyspace", err)
	}
	stands := clientv3.Compare(clientv3.ModRevision(mark), "=", marked.Header.Revision)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(stageParallel)
	for len(shards) > 0 && ctx.Err() == nil {
		n := min(stageChunk, len(shards))
		puts := make([]clientv3.Op, n)
		for i, shard := range shards[:n] {
			puts[i] = clientv3.OpPut(s.config.Prefix+shardKey(g, shard.ID), string(encodeShard(shard)))
		}
		shards = shards[n:]
		group.Go(func() error { return s.stageChunk(ctx, stands, puts) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	t.compares = append(t.compares, stands)
	t.ops = append(t.ops, clientv3.OpDelete(mark))
	return nil
}

// stageChunk writes some shards, again and again until etcd answers: writing
// them twice does no harm.
func (s *Store) stageChunk(ctx context.Context, stands clientv3.Cmp, puts []clientv3.Op) error {
	pause := newBackoff(s.config.RetryEvery)
	for {
		attempt, cancel := context.WithTimeout(ctx, requestTimeout)
		response, err := s.client.Txn(attempt).If(stands).Then(puts...).Commit()
		cancel()
		switch {
		case err == nil && response.Succeeded:
			return nil
		case err == nil:
			return cairn.Errorf(cairn.KindConflict, "CREATION_EXPIRED", "creating the keyspace took over %s; nothing was done: try again", stageLease)
		case isDefinite(err) || ctx.Err() != nil:
			return s.etcdError("write the shards of a new keyspace", err)
		}
		pause.wait(ctx)
	}
}

// finishStage cleans up after a creation. Where its outcome is not known,
// nothing is touched: the lease runs out, and then it can't succeed any more,
// or it has.
func (s *Store) finishStage(lease clientv3.LeaseID, t *transaction, outcome error) {
	if cairn.KindOf(outcome) == cairn.KindUnknown && outcome != nil {
		return
	}
	// The caller's context may be over already, but what it left is to go.
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if _, err := s.client.Revoke(ctx, lease); err != nil || outcome == nil {
		return // the lease ends by itself, and the sweep comes after it
	}
	for g := range t.staged {
		_, _ = s.client.Delete(ctx, s.config.Prefix+g.folder(), clientv3.WithPrefix()) // the sweep would too
	}
}
