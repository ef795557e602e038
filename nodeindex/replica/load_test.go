package replica

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"cairn"
)

// TestSlowdown: writes are slowed down half way from a checkpoint that is due to the
// bound, more and more.
func TestSlowdown(t *testing.T) {
	config, err := Config{Dir: t.TempDir(), CheckpointBytes: 100, OverlayBytes: 300}.completed()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		bytes int64
		want  time.Duration
	}{{0, 0}, {100, 0}, {200, 0}, {225, 25 * time.Millisecond}, {250, 50 * time.Millisecond}, {299, 99 * time.Millisecond}, {300, 0}} {
		if got := config.slowdown(c.bytes); got != c.want {
			t.Errorf("with %d bytes in no checkpoint a command waits %v; want %v", c.bytes, got, c.want)
		}
	}
	config.CheckpointBytes = config.OverlayBytes
	if got := config.slowdown(299); got != 0 {
		t.Errorf("below a bound that is the checkpoint's own it waits %v", got)
	}
}

// TestCheckpointsUnderLoad takes checkpoints one after the other, the log in
// small segments, under writers that meet the overlay's bound and readers of
// every level.
func TestCheckpointsUnderLoad(t *testing.T) {
	config := configure(t.TempDir())
	config.SegmentBytes = 128 << 10
	config.CheckpointBytes = 64 << 10
	config.OverlayBytes = 256 << 10
	r := open(t, config)
	stop, done := context.WithTimeout(t.Context(), 2*time.Second)
	defer done()
	var running sync.WaitGroup
	for w := range 8 {
		running.Go(func() {
			for n := 0; stop.Err() == nil; n++ {
				req := put(n)
				for i := range 64 {
					key := fmt.Appendf(nil, "w%d-%d", w, (n*64+i)%5000)
					req.Mutations = append(req.Mutations, cairn.Mutation{Operation: cairn.Put, Key: key, Attributes: number(n)})
				}
				if _, err := write(r, req); err != nil {
					t.Error(err)
					return
				}
				last := string(req.Mutations[63].Key)
				if got, found := find(t, r, cairn.Read{Level: cairn.Level(n % 3)}, last); !found || got != n {
					t.Errorf("%s is %d, %v; want %d", last, got, found, n)
				}
			}
		})
	}
	running.Wait()
	if _, bytes := r.index.Pending(); bytes > 2*config.OverlayBytes {
		t.Errorf("%d bytes are in no checkpoint", bytes)
	}
	if r.index.Checkpointed().Index == 0 {
		t.Error("no checkpoint was taken")
	}
	for n := range 2 * trailingEntries {
		mustWrite(t, r, put(n, "a"))
	}
	eventually(t, "the log to be cut", func() bool {
		r.checkpoint()
		first, err := r.log.Load().store.FirstIndex()
		return err == nil && first > 1
	})
}
