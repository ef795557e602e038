package nodeindex

import (
	"slices"
	"testing"

	"cairn"
)

// movedBack is a shard that has moved to the target, of which the source keeps what
// it had, and that is to move back.
func movedBack(t *testing.T, shards int) (m, back *moveTest) {
	t.Helper()
	view := cairn.View{UID: 5, Keyspace: testKeyspace, Name: "large", Version: 1, Filter: "size >= 100", Sort: []cairn.SortField{{Attribute: 2}}}
	m = openMove(t, shards, Options{}, view)
	for i := range 1000 {
		m.source.write(put(testKey(i), size(int64(i))))
	}
	m.copy(t)
	m.fence(t, 1, true)
	m.tail(t)
	source, target := m.commit(t, 20)
	m.target.assign(target)
	m.source.assign(source)

	back = &moveTest{source: m.target, target: m.source, moving: m.moving, a: target}
	back.moving.Move, back.moving.Kept, back.moving.Epoch = 0x88, testMove, 20
	return m, back
}

// count is how many entries of the view an index counts.
func (m *moveTest) count(t *testing.T, r *replica) uint64 {
	t.Helper()
	for r.x.Work() {
	}
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	var reply cairn.ViewReply
	err := r.x.AskView(&cairn.ViewRequest{Read: cairn.Read{Keyspace: testKeyspace, Level: cairn.Linearizable}, View: 5, Version: 1, Asked: cairn.AskCount}, &reply)
	if err != nil {
		t.Fatal(err)
	}
	return reply.Count
}

// TestKeptIsMovedBack moves a shard there and back: what the source has kept of it
// is the copy, whatever has been written since comes with the tail, across starts of
// both and where the source has nothing else of the keyspace.
func TestKeptIsMovedBack(t *testing.T) {
	for name, shards := range map[string]int{"the only shard": 1, "one of four": 4} {
		t.Run(name, func(t *testing.T) {
			m, back := movedBack(t, shards)
			keys := m.inMovingOf(back.source, 4)
			if status := m.source.x.Status(); len(status.Kept) != 1 || len(status.Arriving) > 0 || status.Kept[0].Entries == 0 {
				t.Fatalf("the source keeps %+v", status.Kept)
			}
			if found := m.source.locate(keys[0]); found.State != cairn.NotOwned {
				t.Fatalf("what is kept is seen: %+v", found)
			}
			for _, r := range []*replica{m.source, m.target} {
				r.checkpoint()
				index := r.index
				r.close()
				r.open(Options{})
				r.index = index
			}
			m.target.write(put(keys[0], size(7)), remove(keys[1]), put("new since", size(8)))
			part, err := back.source.x.TailShard(back.moving, 0)
			if err != nil {
				t.Fatal(err)
			}
			staged := back.stage(t, part.Data)
			if !staged.Complete || staged.Copied == 0 || staged.Digest.Entries < 100 {
				t.Fatalf("staged %+v", staged)
			}
			fence := back.fence(t, 30, true)
			if staged = back.tail(t); staged.Sealed != 30 || staged.Digest != fence.Digest {
				t.Fatalf("staged %+v, fence %+v", staged, fence)
			}
			// The part comes again.
			if again := back.stage(t, part.Data); again.Sealed != 30 {
				t.Fatalf("staged %+v", again)
			}
			all := map[string]cairn.Located{}
			for _, key := range keys {
				all[key] = back.source.locate(key)
			}
			whole := m.a
			whole.Shards = slices.Clone(whole.Shards)
			for i := range whole.Shards {
				if whole.Shards[i].ID == m.moving.Shard {
					whole.Shards[i].Epoch, whole.Shards[i].Move = 40, back.moving.Move
				}
			}
			whole.Revision = 40
			m.source.assign(whole)
			for key, was := range all {
				if is := m.source.locate(key); is.State != was.State || is.Version != was.Version {
					t.Errorf("%s was %+v, is %+v", key, was, is)
				}
			}
			status := m.source.x.Status()
			if len(status.Kept)+len(status.Arriving)+len(status.Withheld) > 0 {
				t.Errorf("status %+v", status)
			}
			if got := m.source.locate(keys[0]); got.State != cairn.Found {
				t.Errorf("%+v", got)
			}
			if written := m.source.write(put(keys[2], size(5000))); written[0].Err != nil {
				t.Error(written[0].Err)
			}
			if count := m.count(t, m.source); count < 800 {
				t.Errorf("the view counts %d", count)
			}
			m.source.checkpoint()
		})
	}
}

// inMovingOf are n keys of the shard that moves, by an index that has it.
func (m *moveTest) inMovingOf(r *replica, n int) []string {
	of := *m
	of.source = r
	return of.inMoving(n)
}

// TestKeptIsDropped has the mover drop what is kept: a move back begins with a copy.
func TestKeptIsDropped(t *testing.T) {
	m, back := movedBack(t, 4)
	left := m.count(t, m.source)
	if result := m.source.apply(DropCommand(m.moving)); result.Err != nil {
		t.Fatal(result.Err)
	}
	if status := m.source.x.Status(); len(status.Kept) > 0 {
		t.Fatalf("kept: %+v", status.Kept)
	}
	part, err := back.source.x.TailShard(back.moving, 0)
	if err != nil {
		t.Fatal(err)
	}
	commands, err := back.target.x.PrepareStage(back.moving, part.Data)
	if err != nil {
		t.Fatal(err)
	}
	if result := back.target.apply(commands[0]); result.Err == nil || result.Err.Reason != "NOTHING_KEPT" {
		t.Fatalf("%+v", result)
	}
	if count := m.count(t, m.source); count != left {
		t.Errorf("%d entries are counted; there were %d", count, left)
	}
	back.copy(t)
	back.fence(t, 30, true)
	if staged := back.tail(t); staged.Sealed != 30 {
		t.Errorf("staged %+v", staged)
	}
	m.source.checkpoint()
}

// TestKeptIsNotAdoptedForAnother: a shard that was split and merged since, or that
// came by another move, is copied.
func TestKeptIsNotAdoptedForAnother(t *testing.T) {
	_, back := movedBack(t, 1)
	other := back.moving
	other.Kept++
	if _, err := back.source.x.TailShard(other, 0); cairn.KindOf(err) != cairn.KindCompacted {
		t.Errorf("another move's: %v", err)
	}
	shard := back.a.Shards[0]
	left, right := shard, shard
	left.Epoch, right.Epoch, right.ID = 50, 50, 99
	left.End, right.Start = []byte{0x80, 0, 0, 0, 0, 0, 0, 0}, []byte{0x80, 0, 0, 0, 0, 0, 0, 0}
	a := back.a
	a.Revision, a.Shards = 50, []cairn.Shard{left, right}
	back.source.assign(a)
	shard.Epoch = 60
	a.Revision, a.Shards = 60, []cairn.Shard{shard}
	back.source.assign(a)
	back.moving.Epoch = 60
	if _, err := back.source.x.TailShard(back.moving, 0); cairn.ReasonOf(err) != "NOTHING_KEPT" {
		t.Errorf("split and merged: %v", err)
	}
}

// TestKeptIsGivenBack: the map gives a shard back under the name of the move that
// took it away, as after its new owner has lost it. It is served as it was.
func TestKeptIsGivenBack(t *testing.T) {
	m, back := movedBack(t, 4)
	key := m.inMovingOf(back.source, 1)[0]
	was := back.source.locate(key)
	whole := m.a
	whole.Revision, whole.Shards = 40, slices.Clone(whole.Shards)
	for i := range whole.Shards {
		if whole.Shards[i].ID == m.moving.Shard {
			whole.Shards[i].Epoch, whole.Shards[i].Move = 40, testMove
		}
	}
	m.source.assign(whole)
	if is := m.source.locate(key); is.State != cairn.Found || is.Version != was.Version {
		t.Fatalf("%s was %+v, is %+v", key, was, is)
	}
	if written := m.source.write(put(key, size(5000))); written[0].Err != nil {
		t.Error(written[0].Err)
	}
	m.source.checkpoint()
}
