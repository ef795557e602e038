package router_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap"
	"cairn/shardmap/placement"
)

// fencing is a bed of two clusters of which the second shard of a keyspace by
// range is fenced, to go to the other cluster.
type fencing struct {
	*bed.Bed
	router *router.Router
	move   shardmap.Move
}

func fence(t *testing.T, limits router.HoldLimits) fencing {
	t.Helper()
	b, err := bed.New(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	topology := b.Topology()
	r, err := router.New(router.Config{Topology: topology, Dial: b.Dial, Hold: limits})
	if err != nil {
		t.Fatal(err)
	}
	ordered, _ := b.Map().Catalog().KeyspaceByName(bed.Ordered)
	shard, _ := b.Map().Lookup(ordered.UID, placement.Key(ordered.Placement, cairn.Key("k300"), nil))
	move, err := b.Fence(ordered.UID, shard.ID, 0x101-(shard.Cluster-0x100))
	if err != nil {
		t.Fatal(err)
	}
	topology.CatchUp()
	return fencing{b, r, move}
}

// put begins so many writes, one after the other, and returns what waits for all
// of them and has their errors, and the keys in the order in which they ended.
func (f fencing) put(n int) (wait func() (errs []error, order []string)) {
	var group sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	var order []string
	for i := range n {
		key := fmt.Sprintf("k3%04d", i)
		group.Go(func() {
			_, _, err := f.router.Put(context.Background(), bed.Ordered, cairn.Write{Operation: cairn.Put, Key: cairn.Key(key)}, cairn.RequestID{})
			mu.Lock()
			defer mu.Unlock()
			errs, order = append(errs, err), append(order, key)
		})
		synctest.Wait()
	}
	return func() ([]error, []string) {
		group.Wait()
		return errs, order
	}
}

func (f fencing) version(t *testing.T, key string) cairn.Version {
	t.Helper()
	location, _, err := f.router.Locate(t.Context(), bed.Ordered, cairn.Key(key), cairn.Reading{WithAttributes: true})
	if err != nil {
		t.Fatal(err)
	}
	return location.Version
}

// TestHoldUntilCommit: writes to a fenced shard wait, others don't, and none sees
// an error when the shard gets its new owner.
func TestHoldUntilCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fence(t, router.HoldLimits{})
		defer f.router.Close()
		const n = 300 // more than are let go at once
		began := time.Now()
		wait := f.put(n)
		if _, _, err := f.router.Put(t.Context(), bed.Ordered, cairn.Write{Operation: cairn.Put, Key: cairn.Key("k900")}, cairn.RequestID{}); err != nil || time.Since(began) > 0 {
			t.Fatalf("a write to another shard: %v after %s", err, time.Since(began))
		}
		time.Sleep(3 * time.Second)
		if err := f.CommitMove(f.move); err != nil {
			t.Fatal(err)
		}
		errs, order := wait()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 3*time.Second || took > 3*time.Second+10*time.Millisecond {
			t.Errorf("they waited %s", took)
		}
		for i := 128; i < n; i++ { // which of those that were let go at once ends first is chance
			if order[i] < "k30128" {
				t.Fatalf("%s ended as number %d", order[i], i)
			}
		}
		shard, _ := f.Map().Shard(f.move.Keyspace, f.move.Shard)
		if shard.Cluster != f.move.To || f.version(t, "k30000").Epoch != shard.Epoch {
			t.Errorf("written as %s; the shard is %s", f.version(t, "k30000"), shard)
		}
	})
}

// TestHoldUntilLifted: the shard may stay where it is.
func TestHoldUntilLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fence(t, router.HoldLimits{})
		defer f.router.Close()
		wait := f.put(3)
		time.Sleep(time.Second)
		if err := f.Lift(f.move); err != nil {
			t.Fatal(err)
		}
		if errs, _ := wait(); errs[0] != nil || errs[1] != nil || errs[2] != nil {
			t.Fatal(errs)
		}
		if epoch := f.version(t, "k30000").Epoch; epoch != f.move.Epoch {
			t.Errorf("written in epoch %d", epoch)
		}
	})
}

// TestHoldIsBounded: by time, by count, by bytes, and by the request's deadline.
func TestHoldIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		limits router.HoldLimits
		after  time.Duration
	}{
		"time":     {router.HoldLimits{For: 2 * time.Second}, 2 * time.Second},
		"writes":   {router.HoldLimits{Writes: 1}, router.DefaultTimeout},
		"bytes":    {router.HoldLimits{Bytes: 6}, router.DefaultTimeout},
		"deadline": {router.HoldLimits{For: time.Minute}, router.DefaultTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fence(t, test.limits)
				defer f.router.Close()
				began := time.Now()
				wait := f.put(2)
				if name == "writes" || name == "bytes" {
					if _, _, err := f.router.Put(t.Context(), bed.Ordered, cairn.Write{Operation: cairn.Put, Key: cairn.Key("k31111")}, cairn.RequestID{}); cairn.ReasonOf(err) != "SHARD_FENCED" || time.Since(began) > 0 {
						t.Errorf("beyond the bound: %v after %s", err, time.Since(began))
					}
				}
				errs, _ := wait()
				for _, err := range errs {
					if cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != "SHARD_FENCED" {
						t.Errorf("got %v", err)
					}
				}
				if took := time.Since(began); took > test.after+time.Millisecond || took < test.after-time.Millisecond {
					t.Errorf("after %s; want %s", took, test.after)
				}
			})
		})
	}
}
