package replica

import (
	"context"
	"errors"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/changelog"
)

var errEnough = errors.New("enough")

func TestWatchDeliversEveryChange(t *testing.T) {
	config := configure(t.TempDir())
	config.Heartbeat = 10 * time.Millisecond
	r := open(t, config)
	first := mustWrite(t, r, put(1, "a"))
	mustWrite(t, r, put(2, "a", "b"))
	heartbeats, got := 0, []string{}
	err := r.Watch(t.Context(), cairn.WatchRequest{Keyspace: keyspace, After: first.Index}, func(batch cairn.WatchBatch) error {
		for _, change := range batch.Changes {
			got = append(got, string(change.Key))
			if change.Stamp.Index <= first.Index || change.Stamp.Index > batch.Index {
				t.Errorf("a change at %d in a batch up to %d", change.Stamp.Index, batch.Index)
			}
		}
		if len(batch.Changes) == 0 {
			if heartbeats++; heartbeats == 3 {
				go func() {
					if _, err := write(r, put(3, "c")); err != nil {
						t.Error(err)
					}
				}()
			}
		}
		if len(got) == 3 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || heartbeats < 3 || got[2] != "c" {
		t.Errorf("%v after %d heartbeats: %v", got, heartbeats, err)
	}
}

func TestWatchEnds(t *testing.T) {
	config := configure(t.TempDir())
	config.Index = nodeindex.Options{FeedBytes: 1 << 10, Changes: changelog.Options{Bytes: 2000, SegmentBytes: 200}}
	r := open(t, config)
	first := mustWrite(t, r, put(1, "a"))
	for i := range 100 {
		mustWrite(t, r, put(i, "a", "b", "c", "d"))
	}
	deliver := func(cairn.WatchBatch) error { return nil }
	if err := r.Watch(t.Context(), cairn.WatchRequest{Keyspace: keyspace, After: first.Index}, deliver); cairn.KindOf(err) != cairn.KindCompacted {
		t.Errorf("too old: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := r.Watch(ctx, cairn.WatchRequest{Keyspace: keyspace}, deliver); cairn.KindOf(err) != cairn.KindDeadline {
		t.Errorf("at its context's end: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := r.Watch(ctx, cairn.WatchRequest{Keyspace: keyspace, After: 1 << 40}, deliver); cairn.KindOf(err) != cairn.KindNotYet {
		t.Errorf("ahead of the log: %v", err)
	}
	if err := r.Watch(t.Context(), cairn.WatchRequest{Keyspace: 99}, deliver); cairn.KindOf(err) != cairn.KindStale {
		t.Errorf("of a keyspace that is not here: %v", err)
	}
	closing := time.AfterFunc(30*time.Millisecond, func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	defer closing.Stop()
	if err := r.Watch(t.Context(), cairn.WatchRequest{Keyspace: keyspace}, deliver); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("when the replica closes: %v", err)
	}
}
