package shardmap_test

import (
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
)

// done is a move that is done, of which the former owner keeps what it had.
func done(t *testing.T) (*shardmap.Map, shardmap.Move) {
	t.Helper()
	m, move := startMove(t, evenMap(t, hashed, 8, 2))
	move.Keep = time.Hour
	m, move = stepMove(t, m, move, shardmap.MoveCommitted)
	return stepMove(t, m, move, shardmap.MoveDone)
}

// TestMoveBackKnowsWhatIsKept: only the move back of the very shard does.
func TestMoveBackKnowsWhatIsKept(t *testing.T) {
	m, move := done(t)
	request := shardmap.MoveRequest{Keyspace: hashed, Shard: move.Shard, To: move.From}
	_, back, err := shardmap.StartMove(m, request, moveTime)
	if err != nil || back.Kept != move.Staging {
		t.Errorf("kept %s, %v; want %s", back.Kept, err, move.Staging)
	}
	if reversible, err := shardmap.Reversible(m, move.UID); err != nil || reversible != move {
		t.Errorf("%v, %v", reversible, err)
	}
	over := move
	over.Keep = 0
	change, err := shardmap.StepMove(m, move, over)
	if err != nil {
		t.Fatal(err)
	}
	if _, back, err := shardmap.StartMove(commit(t, m, change), request, moveTime); err != nil || back.Kept != 0 {
		t.Errorf("when it is over: kept %s, %v", back.Kept, err)
	}
	split, err := shardmap.Split(m, hashed, move.Shard, hashStart(1, 16))
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, m, split)
	if _, back, err := shardmap.StartMove(m, request, moveTime); err != nil || back.Kept != 0 {
		t.Errorf("of a part: kept %s, %v", back.Kept, err)
	}
	if _, err := shardmap.Reversible(m, move.UID); cairn.ReasonOf(err) != "MOVE_OVERTAKEN" {
		t.Errorf("split since: %v", err)
	}
}

// TestGiveBack: the shard is its former owner's under the name of the move, in one
// transaction with the record, so that who forgets what is kept loses to it.
func TestGiveBack(t *testing.T) {
	m, move := done(t)
	change, err := shardmap.GiveBack(m, move.UID)
	if err != nil {
		t.Fatal(err)
	}
	after := commit(t, m, change)
	shard, _ := after.Shard(hashed, move.Shard)
	record, _ := after.Move(move.UID)
	if shard.Cluster != move.From || shard.Epoch != after.Revision() || shard.Move != move.Staging || !record.Clean {
		t.Errorf("%s of move %s; %s, clean %t", shard, shard.Move, record, record.Clean)
	}
	if len(change.Moves) != 1 || change.Moves[0].Expected != move.Revision {
		t.Errorf("the record is not compared: %+v", change.Moves)
	}
	for reason, wrong := range map[string]func() *shardmap.Map{
		"MOVE_OVERTAKEN": func() *shardmap.Map { return after },
		"NOTHING_KEPT": func() *shardmap.Map {
			over := move
			over.Keep = 0
			change, err := shardmap.StepMove(m, move, over)
			if err != nil {
				t.Fatal(err)
			}
			return commit(t, m, change)
		},
		"SHARD_MOVING": func() *shardmap.Map {
			change, _, err := shardmap.StartMove(m, shardmap.MoveRequest{Keyspace: hashed, Shard: move.Shard, To: move.From}, moveTime)
			if err != nil {
				t.Fatal(err)
			}
			return commit(t, m, change)
		},
	} {
		if _, err := shardmap.GiveBack(wrong(), move.UID); cairn.ReasonOf(err) != reason {
			t.Errorf("%v; want %s", err, reason)
		}
	}
	started, going := startMove(t, evenMap(t, hashed, 8, 2))
	if _, err := shardmap.GiveBack(started, going.UID); cairn.ReasonOf(err) != "MOVE_NOT_DONE" {
		t.Errorf("a move that goes on: %v", err)
	}
}
