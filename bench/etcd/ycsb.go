package etcd

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"cairn/bench/load"
	"cairn/bench/ycsb"
)

// Records is etcd with the records of bench/ycsb, each under its key. It is a
// ycsb.Store, and no ycsb.Scanner: etcd has no order but the keys'.
type Records struct{ *Group }

// FillRecords puts the first records.
func (g *Group) FillRecords(ctx context.Context, entries int) (Records, error) {
	const writers = 16
	var keys load.NewKeys
	group, under := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for first := 0; first < entries && under.Err() == nil; first += operations {
		group.Go(func() error {
			var puts []clientv3.Op
			for n := first; n < min(first+operations, entries); n++ {
				puts = append(puts, clientv3.OpPut(string(keys.Had(uint64(n))), value(ycsb.RecordOf(n))))
			}
			_, err := g.client.Txn(under).Then(puts...).Commit()
			return err
		})
	}
	return Records{g}, group.Wait()
}

func value(r ycsb.Record) string { return fmt.Sprintf("north-a %s %d", r.Country, r.Seats) }

// Read gets a record, from the member that is asked.
func (r Records) Read(ctx context.Context, key string) error {
	response, err := r.client.Get(ctx, key, clientv3.WithSerializable())
	if err == nil && len(response.Kvs) == 0 {
		return fmt.Errorf("there is no record %s", key)
	}
	return err
}

// Update puts a whole record: etcd has no attributes.
func (r Records) Update(ctx context.Context, key string, seats int64) error {
	return r.Insert(ctx, key, ycsb.Record{Country: "DE", Seats: seats})
}

// Insert puts a record.
func (r Records) Insert(ctx context.Context, key string, record ycsb.Record) error {
	_, err := r.client.Put(ctx, key, value(record))
	return err
}
