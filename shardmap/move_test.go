package shardmap_test

import (
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
)

var moveTime = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// startMove begins to move the shard that the keyspace begins with to another
// cluster.
func startMove(t *testing.T, m *shardmap.Map) (*shardmap.Map, shardmap.Move) {
	t.Helper()
	first, _ := m.Lookup(hashed, hashStart(0, 1))
	to := clusterBase
	if first.Cluster == to {
		to++
	}
	change, move, err := shardmap.StartMove(m, shardmap.MoveRequest{Keyspace: hashed, Shard: first.ID, To: to, Who: "ops", Why: "test"}, moveTime)
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, m, change)
	move, found := m.Move(move.UID)
	if !found {
		t.Fatal("no record")
	}
	return m, move
}

func stepMove(t *testing.T, m *shardmap.Map, move shardmap.Move, phase shardmap.MovePhase) (*shardmap.Map, shardmap.Move) {
	t.Helper()
	next := move
	next.Phase = phase
	change, err := shardmap.StepMove(m, move, next)
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, m, change)
	move, _ = m.Move(move.UID)
	return m, move
}

// TestMoveCommits: the shard changes its owner and so its epoch in the change that
// makes the move committed, and knows by which attempt.
func TestMoveCommits(t *testing.T) {
	m, move := startMove(t, evenMap(t, hashed, 8, 2))
	before, _ := m.Shard(hashed, move.Shard)
	if before.Epoch != move.Epoch || before.Revision != m.Revision() {
		t.Fatalf("held: %s of revision %d; the map is at %d", before, before.Revision, m.Revision())
	}
	if held, found := m.MoveOf(hashed, move.Shard); !found || held != move {
		t.Fatalf("held by %v", held)
	}
	m, move = stepMove(t, m, move, shardmap.MoveCommitted)
	after, _ := m.Shard(hashed, move.Shard)
	if after.Cluster != move.To || after.Epoch != m.Revision() || after.Move != move.Staging {
		t.Fatalf("%s, by %s", after, after.Move)
	}
	for _, s := range m.Assignment(move.To).Shards {
		if s.ID == move.Shard && s.Move != move.Staging {
			t.Errorf("the new owner is told of move %s", s.Move)
		}
	}
	m, _ = stepMove(t, m, move, shardmap.MoveDone)
	if held, found := m.MoveOf(hashed, move.Shard); found {
		t.Errorf("still held by %s", held)
	}
}

// TestMoveHolds: what is held by a move is not split, merged, isolated in or moved
// otherwise, nor by what was decided before the move began.
func TestMoveHolds(t *testing.T) {
	free := evenMap(t, hashed, 8, 1)
	first, _ := free.Lookup(hashed, hashStart(0, 1))
	m := evenMap(t, hashed, 8, 2)
	early, err := shardmap.Split(m, hashed, first.ID, hashStart(1, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	m, move := startMove(t, m)
	for _, change := range early.Shards {
		if now, found := m.Shard(hashed, change.ID); found && now.Revision == change.Expected {
			t.Error("a split that was decided before would not lose")
		}
	}
	for what, refused := range map[string]func() error{
		"a split": func() error { _, err := shardmap.Split(m, hashed, move.Shard, hashStart(1, 1<<20)); return err },
		"a merge": func() error { _, err := shardmap.Merge(m, hashed, move.Shard); return err },
		"an isolation": func() error {
			_, _, err := shardmap.Isolate(m, hashed, hashStart(1, 1<<20), hashStart(2, 1<<20))
			return err
		},
		"another move": func() error {
			_, _, err := shardmap.StartMove(m, shardmap.MoveRequest{Keyspace: hashed, Shard: move.Shard, To: move.To}, moveTime)
			return err
		},
	} {
		if err := refused(); cairn.ReasonOf(err) != "SHARD_MOVING" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestMoveIsVoid: a shard of another epoch than was planned is not given away.
func TestMoveIsVoid(t *testing.T) {
	m, move := startMove(t, evenMap(t, hashed, 8, 2))
	m = commit(t, m, shardmap.Renew(m, move.From, m.Revision(), 100))
	if _, _, err := m.Planned(move); cairn.ReasonOf(err) != "SHARD_CHANGED" {
		t.Errorf("planned: %v", err)
	}
	next := move
	next.Phase = shardmap.MoveCommitted
	if _, err := shardmap.StepMove(m, move, next); cairn.ReasonOf(err) != "SHARD_CHANGED" {
		t.Errorf("committed: %v", err)
	}
}

func TestMoveRefused(t *testing.T) {
	m := evenMap(t, hashed, 8, 2)
	first, _ := m.Lookup(hashed, hashStart(0, 1))
	other := clusterBase
	if first.Cluster == other {
		other++
	}
	pin, err := shardmap.Pin(m, hashed, first.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	pinned := commit(t, m, pin)
	if now, _ := pinned.Shard(hashed, first.ID); !now.Pinned || now.Epoch != first.Epoch {
		t.Fatalf("pinned: %s", now)
	}
	for name, test := range map[string]struct {
		m       *shardmap.Map
		request shardmap.MoveRequest
		reason  string
		field   string
	}{
		"no keyspace":       {m, shardmap.MoveRequest{Keyspace: 1, Shard: first.ID, To: other}, "KEYSPACE_NOT_FOUND", ""},
		"no shard":          {m, shardmap.MoveRequest{Keyspace: hashed, Shard: 99, To: other}, "SHARD_NOT_FOUND", ""},
		"no target":         {m, shardmap.MoveRequest{Keyspace: hashed, Shard: first.ID, To: 1}, "CLUSTER_NOT_FOUND", "to"},
		"to where it is":    {m, shardmap.MoveRequest{Keyspace: hashed, Shard: first.ID, To: first.Cluster}, "MOVE_TO_OWNER", "to"},
		"nobody moves data": {m, shardmap.MoveRequest{Keyspace: hashed, Shard: first.ID, To: other, MayHaveEntries: true}, "MOVER_MISSING", "mover"},
		"pinned":            {pinned, shardmap.MoveRequest{Keyspace: hashed, Shard: first.ID, To: other}, "SHARD_PINNED", ""},
	} {
		_, _, err := shardmap.StartMove(test.m, test.request, moveTime)
		if e, _ := err.(*cairn.Error); e == nil || e.Reason != test.reason || e.Field != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWantMove(t *testing.T) {
	m, move := startMove(t, evenMap(t, hashed, 8, 2))
	change, err := shardmap.WantMove(m, move.UID, true, false)
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, m, change)
	if again, err := shardmap.WantMove(m, move.UID, true, false); err != nil || !again.Empty() {
		t.Errorf("paused twice: %v %v", again, err)
	}
	move, _ = m.Move(move.UID)
	if !move.Paused {
		t.Error("not paused")
	}
	m, move = stepMove(t, m, move, shardmap.MoveCommitted)
	if _, err := shardmap.WantMove(m, move.UID, false, true); cairn.ReasonOf(err) != "MOVE_COMMITTED" {
		t.Errorf("cancelled once committed: %v", err)
	}
	m, move = stepMove(t, m, move, shardmap.MoveDone)
	if _, err := shardmap.WantMove(m, move.UID, false, true); cairn.ReasonOf(err) != "MOVE_FINISHED" {
		t.Errorf("cancelled once done: %v", err)
	}
	if _, err := shardmap.WantMove(m, 1, false, true); cairn.ReasonOf(err) != "MOVE_NOT_FOUND" {
		t.Errorf("no move: %v", err)
	}
}

// TestMovesAreKept: the oldest finished moves go when there are too many, those
// that left something behind stay.
func TestMovesAreKept(t *testing.T) {
	m := evenMap(t, hashed, 8, 2)
	var b shardmap.Change
	for i := range shardmap.MovesKept {
		b.Moves = append(b.Moves, shardmap.MoveChange{UID: cairn.UID(i + 1), Put: &shardmap.Move{
			UID: cairn.UID(i + 1), Phase: shardmap.MoveDone, Clean: i != 0, Stepped: moveTime.Add(time.Duration(i) * time.Second),
		}})
	}
	m = commit(t, m, b)
	m, move := startMove(t, m)
	if _, found := m.Move(1); !found {
		t.Error("one that is not clean was deleted")
	}
	if _, found := m.Move(2); found {
		t.Error("the oldest is still there")
	}
	moves := m.Moves()
	if len(moves) != shardmap.MovesKept || moves[len(moves)-1] != move {
		t.Errorf("%d moves, the last is %s", len(moves), moves[len(moves)-1])
	}
}

func TestIsolate(t *testing.T) {
	m := evenMap(t, hashed, 2, 1)
	before := m.Count(hashed)
	from, to := hashStart(3, 1<<20), hashStart(4, 1<<20)
	change, id, err := shardmap.Isolate(m, hashed, from, to)
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, m, change)
	own, _ := m.Shard(hashed, id)
	if m.Count(hashed) != before+2 || string(own.Start) != string(from) || string(own.End) != string(to) {
		t.Fatalf("%d shards; isolated in %s", m.Count(hashed), own)
	}
	change, again, err := shardmap.Isolate(m, hashed, from, to)
	if err != nil || !change.Empty() || again != id {
		t.Errorf("isolated twice: shard %s, %v %v", again, change, err)
	}
	if _, _, err := shardmap.Isolate(m, hashed, from, hashStart(5, 1<<20)); cairn.ReasonOf(err) != "ISOLATE_DIVIDED" {
		t.Errorf("over two shards: %v", err)
	}
}
