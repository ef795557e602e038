package etcdstore

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"cairn"
)

// This file is for a store that has lost what it held, or is older than the indexes:
// what makes room for a map that is written anew.

// raisedKey is written to raise etcd's revision, and deleted afterwards.
const raisedKey = "raised"

// raiseParallel is how many writes are under way at once to raise the revision: etcd
// has many of them in one sync.
const raiseParallel = 256

// Standing is how a store stands.
type Standing struct {
	// Revision is etcd's.
	Revision uint64
	// Records are those of a map, and of founders.
	Records int64
}

// Stand tells how the store under a prefix stands. KindUnavailable if etcd does not
// answer.
func Stand(ctx context.Context, client *clientv3.Client, prefix string) (out Standing, err error) {
	for _, folder := range heldFolders() {
		response, err := client.Get(ctx, prefix+folder, clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return out, refillError("look at what is there", err)
		}
		out.Revision = max(out.Revision, uint64(response.Header.Revision))
		out.Records += response.Count
	}
	return out, nil
}

// heldFolders are what a map and its indexes' foundings are in.
func heldFolders() []string { return append([]string{foundersFolder}, mapFolders...) }

// Clear deletes what a map is made of, and the foundings, in one transaction, so that
// nobody sees a part of it. An index that sees a map without its cluster notes
// nothing.
func Clear(ctx context.Context, client *clientv3.Client, prefix string) error {
	ops := []clientv3.Op{clientv3.OpPut(prefix+deletionsKey, "")}
	for _, folder := range heldFolders() {
		ops = append(ops, clientv3.OpDelete(prefix+folder, clientv3.WithPrefix()))
	}
	if _, err := client.Txn(ctx).Then(ops...).Commit(); err != nil {
		return refillError("delete what is there", err)
	}
	return nil
}

// Raise writes until etcd's revision is at least one: each write raises it by one, and
// nothing else does but a restore of a snapshot. raised is told how far it is, now and
// then, from several goroutines. What was done stays done after an error.
func Raise(ctx context.Context, client *clientv3.Client, prefix string, to uint64, raised func(revision uint64)) error {
	key := prefix + raisedKey
	var reached atomic.Uint64
	group, writing := errgroup.WithContext(ctx)
	for range raiseParallel {
		group.Go(func() error {
			for reached.Load() < to {
				response, err := client.Put(writing, key, "")
				if err != nil {
					return refillError("raise the revision", err)
				}
				revision := uint64(response.Header.Revision)
				for {
					before := reached.Load()
					if before >= revision || reached.CompareAndSwap(before, revision) {
						break
					}
				}
				if revision%1000 == 0 {
					raised(revision)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if _, err := client.Delete(ctx, key); err != nil {
		return refillError("raise the revision", err)
	}
	return nil
}

// SetFounding records who began a cluster's node index, unless that is recorded.
// Done again it is harmless.
func (s *Store) SetFounding(ctx context.Context, cluster cairn.UID, founding Founding) error {
	key := s.founderKey(cluster)
	_, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, founding.encode())).
		Commit()
	if err != nil {
		return s.etcdError("record who founded the index", err)
	}
	return nil
}

func refillError(what string, err error) error {
	return cairn.Errorf(cairn.KindUnavailable, "ETCD_UNAVAILABLE", "%s: %w", what, err)
}
