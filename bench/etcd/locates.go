package etcd

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/report"
)

// Peer says what it is.
func (g *Group) Peer(ctx context.Context) (report.Peer, error) {
	status, err := g.client.Status(ctx, g.client.Endpoints()[0])
	if err != nil {
		return report.Peer{}, err
	}
	return report.Peer{
		Name: "etcd", Version: status.Version,
		Settings: fmt.Sprintf("members: %d; its defaults; reads are serializable, answered by the member that is asked; one connection for all callers", len(g.processes)),
	}, nil
}

// PIDs are the processes of the members.
func (g *Group) PIDs() []int {
	pids := make([]int, len(g.processes))
	for i, process := range g.processes {
		pids[i] = process.PID()
	}
	return pids
}

// operations is how many a transaction has at most, by etcd's defaults.
const operations = 128

// Fill puts the first entries, each with the name of its node.
func (g *Group) Fill(ctx context.Context, entries int, nodes locates.Nodes) error {
	const batch, writers = 64 * operations, 16
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for first := 0; first < entries && ctx.Err() == nil; first += batch {
		of, err := nodes(ctx, first, min(first+batch, entries))
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		for at := 0; at < len(of); at += operations {
			group.Go(func() error {
				var puts []clientv3.Op
				for i, node := range of[at:min(at+operations, len(of))] {
					puts = append(puts, clientv3.OpPut(string(load.Key(first+at+i)), node))
				}
				_, err := g.client.Txn(ctx).Then(puts...).Commit()
				return err
			})
		}
	}
	return group.Wait()
}

// Locate gets one key.
func (g *Group) Locate(ctx context.Context, batch *locates.Batch) error {
	response, err := g.client.Get(ctx, batch.Texts[0], clientv3.WithSerializable())
	if err != nil {
		return err
	}
	return put(batch, 0, response)
}

// LocateBatch gets up to 128 keys in one transaction.
func (g *Group) LocateBatch(ctx context.Context, batch *locates.Batch) error {
	gets := make([]clientv3.Op, len(batch.Texts))
	for i, key := range batch.Texts {
		gets[i] = clientv3.OpGet(key, clientv3.WithSerializable())
	}
	response, err := g.client.Txn(ctx).Then(gets...).Commit()
	if err != nil {
		return err
	}
	for i, each := range response.Responses {
		if err := put(batch, i, (*clientv3.GetResponse)(each.GetResponseRange())); err != nil {
			return err
		}
	}
	return nil
}

func put(batch *locates.Batch, i int, got *clientv3.GetResponse) error {
	if len(got.Kvs) == 0 {
		return batch.Put(i, "")
	}
	return batch.Put(i, string(got.Kvs[0].Value))
}
