package move_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
)

// dataMover is a data mover for drivers to call; each call is a step of the fleet.
// What it may be told in which order is the exploration's to find; this is whether
// the driver tells it what the machine decides.
type dataMover struct {
	f         *fleet
	have      move.DataHave
	revision  uint64
	keys      map[string]bool
	differing []cairn.Key
	silent    bool // it does not answer
	bytes     uint64
	// opened is the epoch that it was committed with, ended how it was cleaned up.
	opened uint64
	ended  string
}

// withData has the keyspace name a data mover.
func (f *fleet) withData() {
	f.t.Helper()
	f.data = dataMover{f: f, keys: map[string]bool{}}
	k, _ := f.m.Catalog().KeyspaceByUID(keyspace)
	with := *k
	with.Mover, with.ModRevision = "mover:7733", 2
	if _, err := f.commit(shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: 1, Put: &with}}}); err != nil {
		f.t.Fatal(err)
	}
}

func (d *dataMover) call(what string, m move.DataMove, do func() error) (move.DataProgress, error) {
	var p move.DataProgress
	err := d.f.did(what, func() error {
		switch {
		case d.silent:
			return cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "the data mover does not answer")
		case m.Revision < d.revision:
			return cairn.Errorf(cairn.KindConflict, "LATE", "there was a call of revision %d", d.revision)
		case m.Keyspace == nil || m.From == nil || m.To == nil:
			return fmt.Errorf("%s of %+v", what, m)
		}
		d.revision = m.Revision
		if err := do(); err != nil {
			return err
		}
		p = move.DataProgress{DataHave: d.have, Bytes: d.bytes}
		return nil
	})
	return p, err
}

func (d *dataMover) Do(_ context.Context, m move.DataMove, a move.Action) (move.DataProgress, error) {
	return d.call(a.Kind.String(), m, func() error {
		switch a.Kind {
		case move.FenceData:
			d.have.Fence = a.Fence
		case move.UnfenceData:
			d.have.Fence = 0
		case move.DrainData:
			d.have.Drained = a.Fence
		case move.CommitData:
			d.opened, d.have.Fence = a.Epoch, 0
		case move.CleanUpData:
			d.have, d.ended = move.DataHave{}, m.Phase.String()
		}
		return nil
	})
}

func (d *dataMover) Copy(_ context.Context, m move.DataMove, part move.DataCopy) (move.DataProgress, error) {
	return d.call("copy data", m, func() error {
		if string(part.After) != d.have.Copied || d.have.Complete {
			return nil
		}
		if d.have.Copied == "" {
			d.have.Through = part.Index
		}
		d.bytes += 20
		for _, k := range part.Keys {
			d.keys[string(k.Key)] = true
		}
		d.have.Copied, d.have.Complete = string(part.Last), part.Done
		return nil
	})
}

func (d *dataMover) CatchUp(_ context.Context, m move.DataMove, part move.DataTail) (move.DataProgress, error) {
	return d.call("tail data", m, func() error {
		if part.After > d.have.Through {
			return cairn.Errorf(cairn.KindConflict, "GAP", "%d is not %d", part.After, d.have.Through)
		}
		d.have.Through, d.have.Caught = max(d.have.Through, part.Through), true
		return nil
	})
}

func (d *dataMover) Verify(_ context.Context, m move.DataMove) (move.DataProgress, []cairn.Key, error) {
	p, err := d.call("verify data", m, func() error {
		d.have.Verified = m.Fence
		return nil
	})
	return p, d.differing, err
}

func (d *dataMover) Progress(_ context.Context, m move.DataMove) (move.DataProgress, error) {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	return move.DataProgress{DataHave: d.have, Bytes: d.bytes}, nil
}

// MovedKeys: a part of the copy has one key, which it is named by.
func (x *side) MovedKeys(_ context.Context, s cairn.MovingShard, part []byte) (keys []cairn.MovedKey, err error) {
	err = x.f.did("keys", func() error {
		var n int
		var index, count uint64
		var done bool
		if read, _ := fmt.Sscanf(string(part), "copy %d %d %d %t", &n, &index, &count, &done); read < 4 {
			return nil
		}
		if s.Relocation == nil && index > x.staged[s.Move].Through {
			return cairn.Errorf(cairn.KindConflict, "KEYS_AHEAD", "the part is of %d", index)
		}
		keys = []cairn.MovedKey{{Key: fmt.Appendf(nil, "key %d", n), From: []cairn.NodeID{1}, To: []cairn.NodeID{1}}}
		return nil
	})
	return keys, err
}

// settledWithData fails the test unless the data mover has ended a move as it should.
func (f *fleet) settledWithData(uid cairn.UID, phase shardmap.MovePhase) {
	f.t.Helper()
	f.settled(uid, phase)
	shard, _ := f.Map().Shard(keyspace, f.move(uid).Shard)
	switch d := &f.data; {
	case phase == shardmap.MoveDone && (d.opened != shard.Epoch || d.ended != "done" || len(d.keys) != parts):
		f.t.Errorf("opened for epoch %d of %d, ended as %q, with %d keys, after %v", d.opened, shard.Epoch, d.ended, len(d.keys), f.steps)
	case phase == shardmap.MoveCancelled && (d.opened != 0 || d.ended == "" || d.ended == "done"):
		f.t.Errorf("cancelled, and it was opened for epoch %d and ended as %q", d.opened, d.ended)
	}
}

// TestDriverCallsDataMover has the driver die before and after every call that it
// makes; another one ends the move, and the data mover has done its part.
func TestDriverCallsDataMover(t *testing.T) {
	hit := map[string]bool{}
	for at, more := 0, true; more; at++ {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.withData()
				uid := f.start(1)
				f.crashAt, f.crashAfter = at, after
				first := f.drive(move.Config{})
				time.Sleep(takeover)
				first()
				if more = len(f.steps) > at; more {
					hit[f.steps[at]] = true
				}
				stop := f.drive(move.Config{})
				time.Sleep(takeover)
				stop()
				f.settledWithData(uid, shardmap.MoveDone)
			})
		}
	}
	for _, what := range []string{"prepare data", "copy data", "keys", "tail data", "fence data", "drain data", "verify data", "commit data", "clean up data"} {
		if !hit[what] {
			t.Errorf("no driver died at %q", what)
		}
	}
}

// TestDriverCancelsData: where values differ the move ends, says of which key, and the
// data mover has cleaned up before the shard is free.
func TestDriverCancelsData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.withData()
		f.data.differing = []cairn.Key{cairn.Key("key 1")}
		uid := f.start(1)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		f.settledWithData(uid, shardmap.MoveCancelled)
		if got, want := f.move(uid).Problem, `the target's values are not the source's: of key 1 and perhaps others`; got != want {
			t.Errorf("it says %q; want %q", got, want)
		}
	})
}

// TestDriverKeepsTheRateOfData: what a data mover has copied is paid for as well.
func TestDriverKeepsTheRateOfData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.withData()
		uid := f.start(1)
		began := time.Now()
		stop := f.drive(move.Config{Rate: move.Rate{Bytes: 4}})
		defer stop()
		for f.move(uid).Phase != shardmap.MoveDone {
			time.Sleep(100 * time.Millisecond)
		}
		// Three parts of 17 bytes and two of three times 20 are paid for.
		if took := time.Since(began); took < 20*time.Second || took > 30*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestDriverWithoutDataMover: a data mover that does not answer is told of, and holds
// the move up until it does, or until the keyspace does without it.
func TestDriverWithoutDataMover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.withData()
		f.data.silent = true
		uid := f.start(1)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		if told := f.move(uid); told.Phase != shardmap.MoveCopying || told.Problem != "UNREACHABLE: the data mover does not answer" {
			t.Fatalf("%s, problem %q", told, told.Problem)
		}
		k, _ := f.Map().Catalog().KeyspaceByUID(keyspace)
		without := *k
		without.Mover, without.ModRevision = "external", k.ModRevision+1
		if _, err := f.commit(shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Put: &without}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(takeover)
		f.settled(uid, shardmap.MoveDone)
	})
}
