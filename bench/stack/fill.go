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
	cairnv1 "cairn/proto/cairn/v1"
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
func (d *Deployment) Fill(ctx context.Context, entries int, settle time.Duration) (err error) {
	c, err := client.Dial(d.Router, client.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := fill(ctx, c, entries, put); err != nil {
		return err
	}
	return settled(ctx, settle, func(ctx context.Context) (applied, checkpointed uint64, err error) {
		status, err := c.Admin().GetIndexStatus(ctx, &cairnv1.GetIndexStatusRequest{Cluster: "clusters/" + clusterName})
		return status.GetAppliedIndex(), status.GetCheckpointIndex(), err
	})
}

// Fill puts the first entries into the stack and lets it settle.
func (e *Embedded) Fill(ctx context.Context, entries int, settle time.Duration) error {
	if err := fill(ctx, e.Router, entries, put); err != nil {
		return err
	}
	return settled(ctx, settle, func(ctx context.Context) (applied, checkpointed uint64, err error) {
		status, err := e.replica.Status(ctx, 0)
		return status.AppliedIndex, status.CheckpointIndex, err
	})
}

// settled waits until an index has written to its file what it took, but no
// longer than atMost: reads of what is only in memory yet are faster.
func settled(ctx context.Context, atMost time.Duration, status func(context.Context) (applied, checkpointed uint64, err error)) error {
	for end := time.Now().Add(atMost); time.Now().Before(end); {
		applied, checkpointed, err := status(ctx)
		if err != nil {
			return fmt.Errorf("ask the index how far it is: %w", err)
		}
		if checkpointed >= applied {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}
