package move_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
)

// takeover is how long another driver may take to end a move, retries included.
const takeover = 5 * time.Second

// TestDriverIsReplaced has the driver die before and after every call that it
// makes, its answer lost; another one ends the move.
func TestDriverIsReplaced(t *testing.T) {
	hit := map[string]bool{}
	for at, more := 0, true; more; at++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %t", at, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					f.apart = true // so that there is more to die at
					uid := f.start(1)
					f.crashAt, f.crashAfter = at, after
					first := f.drive(move.Config{})
					time.Sleep(takeover)
					first()
					if len(f.steps) > at {
						hit[f.steps[at]] = true
					} else {
						more = false
					}
					stop := f.drive(move.Config{})
					time.Sleep(takeover)
					stop()
					f.settled(uid, shardmap.MoveDone)
				})
			})
		}
	}
	for _, what := range []string{"note", "ask", "copy", "stage", "tail", "fence", "swap to copying", "swap to catching-up", "swap to fenced", "swap to committed", "swap to done"} {
		if !hit[what] {
			t.Errorf("no driver died at %q", what)
		}
	}
}

// TestDriverFencesBriefly: while writes wait, the source and the target are asked once
// each, and where what came with the fence is lost, the source once more.
func TestDriverFencesBriefly(t *testing.T) {
	for _, test := range []struct {
		apart bool
		want  []string
	}{
		{false, []string{"fence", "stage", "swap to committed"}},
		{true, []string{"fence", "tail", "stage", "swap to committed"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.apart = test.apart
			uid := f.start(1)
			stop := f.drive(move.Config{})
			defer stop()
			time.Sleep(takeover)
			f.settled(uid, shardmap.MoveDone)
			first := slices.Index(f.steps, "swap to fenced") + 1
			if got := f.steps[first : slices.Index(f.steps, "swap to committed")+1]; !slices.Equal(got, test.want) {
				t.Errorf("apart %t: while writes waited it did %v", test.apart, got)
			}
		})
	}
}

// TestDriverCancels cancels a move after each of its steps: it ends, the source is
// not fenced and the target has nothing left, or it is done already.
func TestDriverCancels(t *testing.T) {
	for at := range 16 {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				uid := f.start(1)
				f.crashAt, f.crashAfter = at, true
				first := f.drive(move.Config{})
				time.Sleep(takeover)
				first()
				phase := shardmap.MoveDone
				if change, err := shardmap.WantMove(f.Map(), uid, false, true); err == nil {
					phase = shardmap.MoveCancelled
					if _, err := f.commit(change); err != nil {
						t.Fatal(err)
					}
				}
				stop := f.drive(move.Config{})
				time.Sleep(takeover)
				stop()
				f.settled(uid, phase)
			})
		})
	}
}

// TestDriverDropsLeftovers: what a part of a cancelled move has left at the target,
// which came after all was dropped, does not stop the next move.
func TestDriverDropsLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		cancelled := f.start(1)
		change, err := shardmap.WantMove(f.Map(), cancelled, false, true)
		if err == nil {
			_, err = f.commit(change)
		}
		if err != nil {
			t.Fatal(err)
		}
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		f.settled(cancelled, shardmap.MoveCancelled)
		f.mu.Lock()
		left := f.m.Moves()[0].Staging
		f.sides[south].staged[left], f.sides[south].arrives[1] = cairn.Staged{Copied: 1}, left
		f.mu.Unlock()
		uid := f.start(1)
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveDone)
	})
}

// TestDriverVerifies: where the target has something else than the source, the move
// ends, and says why.
func TestDriverVerifies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.wrong = 1
		uid := f.start(1)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveCancelled)
		const why = "the target's entries are not the source's"
		if record := f.move(uid); record.Problem != why {
			t.Errorf("it says %q", record.Problem)
		}
		f.deaf = true
		uid = f.start(1)
		time.Sleep(time.Minute)
		if record := f.move(uid); record.Phase != shardmap.MoveCancelled || record.Clean || record.Problem != why {
			t.Errorf("while the target drops nothing: %s, clean %t, %q", record, record.Clean, record.Problem)
		}
	})
}

// TestDriverWithoutMover: a shard that gets entries while it moves stays, if nobody
// moves the data behind them.
func TestDriverWithoutMover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		k, _ := f.m.Catalog().KeyspaceByUID(keyspace)
		without := *k
		without.Mover, without.ModRevision = "", 2
		if _, err := f.commit(shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: 1, Put: &without}}}); err != nil {
			t.Fatal(err)
		}
		uid := f.start(1)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveCancelled)
	})
}

// TestDriverWithoutTarget: a move whose target is deleted is cancelled, with the
// fence lifted if one stands.
func TestDriverWithoutTarget(t *testing.T) {
	for at := range 14 { // the calls of a whole move but for its last swap
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				uid := f.start(1)
				f.crashAt, f.crashAfter = at, true
				first := f.drive(move.Config{})
				time.Sleep(takeover)
				first()
				if f.move(uid).Phase >= shardmap.MoveCommitted {
					return // the target owns the shard, and can't be deleted
				}
				if _, err := f.commit(shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: "south", Expected: 1, Delete: true}}}); err != nil {
					t.Fatal(err)
				}
				f.sides[south].staged = nil // it is gone with its index
				stop := f.drive(move.Config{})
				defer stop()
				time.Sleep(takeover)
				f.settled(uid, shardmap.MoveCancelled)
			})
		})
	}
}

// TestDriverTellsWhatIsWrong: the record says what keeps the move from getting on,
// until it does.
func TestDriverTellsWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.sides[south].arrives[1] = 99 // nobody knows whose it is
		uid := f.start(1)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		if told := f.move(uid); told.Phase != shardmap.MoveCopying || told.Problem == "" {
			t.Fatalf("%s, problem %q", told, told.Problem)
		}
		told := f.move(uid).Revision
		time.Sleep(time.Minute)
		if now := f.move(uid).Revision; now != told {
			t.Errorf("it was told again and again: revision %d, and %d a minute later", told, now)
		}
		f.mu.Lock()
		delete(f.sides[south].arrives, 1)
		f.mu.Unlock()
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveDone)
		if f.move(uid).Problem != "" {
			t.Errorf("done, with the problem %q", f.move(uid).Problem)
		}
	})
}

// TestDriverWaitsForViews: no fence is put up while the target makes its views, which
// would have no answers of the shard; the record says so.
func TestDriverWaitsForViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.building = true
		uid := f.start(1)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		if told := f.move(uid); told.Phase != shardmap.MoveCatchingUp || !strings.HasPrefix(told.Problem, "VIEW_BUILDING") || slices.Contains(f.steps, "fence") {
			t.Fatalf("%s, problem %q, after %v", told, told.Problem, f.steps)
		}
		f.mu.Lock()
		f.building = false
		f.mu.Unlock()
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveDone)
	})
}

// TestDriverCatchesUpWithALongCopy: the end of a copy that took long may be quick, and much
// have changed since its beginning all the same; no fence is put up before that is there.
func TestDriverCatchesUpWithALongCopy(t *testing.T) {
	for _, slow := range []time.Duration{0, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.slow = slow
			uid := f.start(1)
			stop := f.drive(move.Config{})
			defer stop()
			time.Sleep(takeover)
			f.settled(uid, shardmap.MoveDone)
			before := f.steps[:slices.Index(f.steps, "swap to fenced")]
			if looked := slices.Contains(before, "tail"); looked != (slow > 0) {
				t.Errorf("with parts of %s it did %v before the fence", slow, before)
			}
		})
	}
}

// TestDriverWaitsForATargetThatIsSlow: no fence is put up while the target takes long for
// the little that has changed, but for ever it can't wait.
func TestDriverWaitsForATargetThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.sluggish = 300 * time.Millisecond
		uid := f.start(1)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(5 * time.Second)
		f.mu.Lock()
		if slices.Contains(f.steps, "fence") {
			t.Errorf("a fence is up, after %v", f.steps)
		}
		f.mu.Unlock()
		time.Sleep(10 * time.Second)
		f.settled(uid, shardmap.MoveDone)
	})
}

// TestDriverPauses: a paused move does nothing until it is resumed.
func TestDriverPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		uid := f.start(1)
		want := func(paused bool) {
			change, err := shardmap.WantMove(f.Map(), uid, paused, false)
			if err == nil {
				_, err = f.commit(change)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		want(true)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(time.Hour)
		if len(f.steps) > 0 {
			t.Fatalf("paused, it did %v", f.steps)
		}
		want(false)
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveDone)
	})
}

// TestDriverTakesTurns: a cluster takes part in so many moves at once.
func TestDriverTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		first := f.start(1)
		time.Sleep(time.Millisecond)
		second := f.start(2)
		f.busy = true
		stop := f.drive(move.Config{PerCluster: 1})
		defer stop()
		time.Sleep(time.Minute)
		if a, b := f.move(first), f.move(second); a.Phase != shardmap.MoveCatchingUp || b.Phase != shardmap.MovePreparing {
			t.Fatalf("%s; %s", a, b)
		}
		f.mu.Lock()
		f.busy = false
		f.mu.Unlock()
		time.Sleep(2 * takeover)
		f.settled(first, shardmap.MoveDone)
		f.settled(second, shardmap.MoveDone)
	})
}

// TestDriverKeepsTheRate copies at the rate that is asked for.
func TestDriverKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		uid := f.start(1)
		began := time.Now()
		stop := f.drive(move.Config{Rate: move.Rate{Bytes: 4}})
		defer stop()
		for f.move(uid).Phase != shardmap.MoveDone {
			time.Sleep(100 * time.Millisecond)
		}
		// Two of three parts of 17 bytes are paid for before the last is handed on.
		if took := time.Since(began); took < 7*time.Second || took > 12*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestTurns(t *testing.T) {
	at := func(uid cairn.UID, phase shardmap.MovePhase, from, to cairn.UID) shardmap.Move {
		return shardmap.Move{UID: uid, Phase: phase, From: from, To: to, Attempt: 1, Created: time.Unix(int64(uid), 0), Clean: phase == shardmap.MoveDone}
	}
	cancelled := at(8, shardmap.MovePreparing, 1, 2)
	cancelled.Cancel = true
	moves := []shardmap.Move{
		at(1, shardmap.MoveFenced, 1, 2),
		at(3, shardmap.MovePreparing, 1, 3), // waits for 1 to have a place
		at(2, shardmap.MovePreparing, 3, 4),
		at(4, shardmap.MovePreparing, 4, 5), // waits for 2
		at(5, shardmap.MoveDone, 1, 2),
		at(6, shardmap.MoveCancelled, 1, 2), // has to be cleaned up
		at(7, shardmap.MovePreparing, 5, 6),
		cancelled,
	}
	turns := move.Turns(moves, 1)
	for uid, want := range map[cairn.UID]bool{1: true, 2: true, 3: false, 4: false, 5: false, 6: true, 7: true, 8: true} {
		if turns[uid] != want {
			t.Errorf("move %d: %t", uid, turns[uid])
		}
	}
}

// TestDriverFollowsTheRate has the rate become another while a part is being paid
// for that would take hours.
func TestDriverFollowsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.limit(&shardmap.CopyLimits{Entries: 1, Bytes: 1})
		uid := f.start(1)
		stop := f.drive(move.Config{Rate: move.Rate{Bytes: 1 << 30}})
		defer stop()
		time.Sleep(takeover)
		if record := f.move(uid); record.Phase != shardmap.MoveCopying {
			t.Fatalf("at a byte a second it is %s", record)
		}
		f.limit(nil)
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveDone)
	})
}

func (f *fleet) limit(limits *shardmap.CopyLimits) {
	f.t.Helper()
	next := f.Map().Settings()
	next.Limits = limits
	change, err := shardmap.Set(f.Map(), next)
	if err == nil {
		_, err = f.commit(change)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// TestDriverGivesUp: a shard of which the changes are never kept for as long as it takes
// to copy it is not copied for ever, and the record says why.
func TestDriverGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.cut = true
		uid := f.start(1)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveCancelled)
		if record := f.move(uid); !strings.Contains(record.Problem, "it was copied 5 times") {
			t.Errorf("after %d attempts it says %q", record.Attempt, record.Problem)
		}
	})
}
