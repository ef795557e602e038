package move_test

import (
	"testing"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
)

// TestAsksWhatIsLeft: a target that says that nothing is staged is asked again what
// it has, and the copy is begun anew.
func TestAsksWhatIsLeft(t *testing.T) {
	now := time.Unix(1_000, 0)
	nothing := cairn.Errorf(cairn.KindPrecondition, "NOTHING_STAGED", "nothing is staged")
	for _, c := range []struct {
		phase  shardmap.MovePhase
		failed move.Kind
		have   cairn.Staged
		then   move.Kind
	}{
		{shardmap.MoveCopying, move.Copy, cairn.Staged{Copied: 5, Last: []byte("cursor")}, move.Copy},
		{shardmap.MoveCatchingUp, move.Tail, cairn.Staged{Copied: 5, Complete: true, Through: 5}, move.Swap},
	} {
		s := move.State{Move: shardmap.Move{UID: 1, Staging: 2, Attempt: 1, Phase: c.phase}}.Asked(c.have)
		if a := move.Decide(s, move.Facts{Settled: true}, now); a.Kind != c.failed {
			t.Fatalf("%s: %s first, wanted %s", c.phase, a, c.failed)
		}
		s = s.Failed(move.Action{Kind: c.failed}, nothing, now)
		if a := move.Decide(s, move.Facts{Settled: true}, s.Retry); a.Kind != move.Ask {
			t.Errorf("%s: %s after the failure, wanted to ask", c.phase, a)
		}
		s = s.Asked(cairn.Staged{})
		if a := move.Decide(s, move.Facts{Settled: true, Fresh: 3}, now); a.Kind != c.then || len(s.Have.Last) > 0 {
			t.Errorf("%s: %s behind %q then, wanted %s", c.phase, a, s.Have.Last, c.then)
		}
	}
}

// TestGivesUpWhatIsWrittenFaster: where one look after the other finds much that has
// changed, the move is given up in the end; one that finds little counts anew.
func TestGivesUpWhatIsWrittenFaster(t *testing.T) {
	now := time.Unix(1_000, 0)
	staged := cairn.Staged{Copied: 5, Complete: true, Through: 5}
	s := move.State{Move: shardmap.Move{UID: 1, Staging: 2, Attempt: 1, Phase: shardmap.MoveCatchingUp}}.Asked(staged)
	s.Behind = move.MaxBehind - 1
	if a := move.Decide(s, move.Facts{Settled: true}, now); a.Kind != move.Tail {
		t.Errorf("once before: %s", a)
	}
	a := move.Decide(s.Followed(staged, false), move.Facts{Settled: true}, now)
	if a.Kind != move.Swap || a.Next.Phase != shardmap.MoveCancelled || a.Next.Problem == "" {
		t.Errorf("at last: %s, because %q", a, a.Next.Problem)
	}
	if caught := s.Followed(staged, true); caught.Behind != 0 {
		t.Errorf("%d looks are counted behind one that found little", caught.Behind)
	}
}

// TestCommitsDataByANewMap: by a Map of before the commit nobody knows the epoch that
// the nodes are opened for, and the move does not end without.
func TestCommitsDataByANewMap(t *testing.T) {
	s := move.State{Move: shardmap.Move{Phase: shardmap.MoveCommitted, Revision: 9}, Activated: true}
	for facts, want := range map[move.Facts]move.Kind{
		{Data: true, Behind: true}: move.Read,
		{Data: true, Epoch: 9}:     move.CommitData,
		{Data: true}:               move.Swap, // the shard is another's by now
		{Behind: true}:             move.Swap,
	} {
		if got := move.Decide(s, facts, time.Time{}); got.Kind != want {
			t.Errorf("%+v: %s; want %s", facts, got, want)
		}
	}
}
