package move_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
)

// TestDriverKeeps has the source keep what it had for as long as the move says, and
// no longer, whoever carries moves out by then.
func TestDriverKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		uid := f.begin(shardmap.MoveRequest{Keyspace: keyspace, Shard: 1, To: south, Keep: time.Minute})
		stop := f.drive(move.Config{})
		time.Sleep(takeover)
		stop()
		record := f.move(uid)
		f.sides[north].kept[record.Staging] = true
		if !record.Keeps() {
			t.Fatalf("%s, clean %t", record, record.Clean)
		}
		stop = f.drive(move.Config{})
		defer stop()
		time.Sleep(time.Minute - 2*takeover)
		if f.mu.Lock(); !f.sides[north].kept[record.Staging] {
			t.Error("the source has forgotten it already")
		}
		f.mu.Unlock()
		time.Sleep(2 * takeover)
		f.settled(uid, shardmap.MoveDone)
		if f.mu.Lock(); f.sides[north].kept[record.Staging] {
			t.Error("the source keeps it")
		}
		f.mu.Unlock()
	})
}

// TestDriverMovesBack moves a shard back to where it is kept, and to where it was
// until a moment ago: it is copied only where it has to be.
func TestDriverMovesBack(t *testing.T) {
	for name, kept := range map[string]bool{"kept": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				uid := f.begin(shardmap.MoveRequest{Keyspace: keyspace, Shard: 1, To: south, Keep: time.Hour})
				stop := f.drive(move.Config{})
				defer stop()
				time.Sleep(takeover)
				there := f.move(uid)
				f.mu.Lock()
				f.sides[north].kept[there.Staging] = kept
				f.sides[south].log, f.sides[south].count = 50, 120
				f.steps = nil
				f.mu.Unlock()
				back := f.begin(shardmap.MoveRequest{Keyspace: keyspace, Shard: 1, To: north})
				if record := f.move(back); record.Kept != there.Staging {
					t.Fatalf("the move back knows of %s; kept is %s", record.Kept, there.Staging)
				}
				time.Sleep(takeover)
				record := f.move(back)
				f.mu.Lock()
				defer f.mu.Unlock()
				if record.Phase != shardmap.MoveDone || f.sides[north].staged[record.Staging].Digest.Sum != 120 {
					t.Fatalf("%s, with %+v", record, f.sides[north].staged)
				}
				if copied := slices.Contains(f.steps, "copy"); copied == kept {
					t.Errorf("copied %t; the steps were %v", copied, f.steps)
				}
			})
		})
	}
}

// TestKeepIsBounded: what is kept takes room, so nobody may ask for for ever.
func TestKeepIsBounded(t *testing.T) {
	f := newFleet(t)
	for _, keep := range []time.Duration{-1, shardmap.MaxKeep + 1} {
		_, _, err := shardmap.StartMove(f.Map(), shardmap.MoveRequest{Keyspace: keyspace, Shard: 1, To: south, Keep: keep}, time.Now())
		if cairn.ReasonOf(err) != "KEEP_OUT_OF_RANGE" {
			t.Errorf("%s: %v", keep, err)
		}
	}
}
