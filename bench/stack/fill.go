package stack

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/bench/load"
	"cairn/router/client"
)

// Store takes writes: a router in this process or a client of one elsewhere.
type Store interface {
	BatchWrite(ctx context.Context, keyspace string, writes []cairn.Write, id cairn.RequestID) ([]cairn.WriteOutcome, cairn.Token, error)
}

// fillBatch and fillers are how a fill is divided.
const (
	fillBatch = 2_000
	fillers   = 4
)

// put is the write of entry number n of package load, without attributes.
func put(n int) cairn.Write { return cairn.Write{Operation: cairn.Put, Key: load.Key(n)} }

// fill puts the first entries into the keyspace.
func fill(ctx context.Context, store Store, entries int, writeOf func(n int) cairn.Write) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range fillers {
		group.Go(func() error {
			for {
				first := int(next.Add(fillBatch)) - fillBatch
				if first >= entries {
					return nil
				}
				if err := fillRange(ctx, store, first, min(first+fillBatch, entries), writeOf); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

func fillRange(ctx context.Context, store Store, first, end int, writeOf func(n int) cairn.Write) error {
	writes := make([]cairn.Write, 0, end-first)
	for n := first; n < end; n++ {
		writes = append(writes, writeOf(n))
	}
	// An index that is filled faster than it can write to its file makes writers
	// wait, on a busy machine for longer than they would by themselves.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	outcomes, _, err := store.BatchWrite(ctx, Keyspace, writes, cairn.RequestID{})
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	for i := range outcomes {
		if outcomes[i].Err != nil {
			return fmt.Errorf("fill: %w", outcomes[i].Err)
		}
	}
	return nil
}

// Fill puts the first entries into the deployment and lets it settle.
func (d *Deployment) Fill(ctx context.Context, entries int) (err error) {
	c, err := client.Dial(d.Router, client.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := fill(ctx, c, entries, put); err != nil {
		return err
	}
	return settle(ctx, clusterName, c.BackupCluster)
}

// Fill puts the first entries into the stack and lets it settle.
func (e *Embedded) Fill(ctx context.Context, entries int) error {
	if err := fill(ctx, e.Router, entries, put); err != nil {
		return err
	}
	return settle(ctx, clusterName, e.replica.Backup)
}

// settle has an index write to its file what it took, since reads of what is only in
// memory yet are faster. A backup begins with a checkpoint; no more of it is taken.
func settle(ctx context.Context, cluster string, backup func(ctx context.Context, cluster string, deliver func(data []byte) error) error) error {
	begun := errors.New("the backup has begun")
	if err := backup(ctx, cluster, func([]byte) error { return begun }); !errors.Is(err, begun) {
		return fmt.Errorf("have the index write a checkpoint: %w", err)
	}
	return nil
}
