package move_test

import (
	"testing"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
)

// TestWhatDiffersIsGivenUp: a target that has everything and seals none of it,
// since it is not the same, does not keep writes waiting for the fence's time.
func TestWhatDiffersIsGivenUp(t *testing.T) {
	now := time.Unix(1000, 0)
	record := shardmap.Move{UID: 1, Phase: shardmap.MoveFenced, Fence: 5, Attempt: 1, Staging: 2, Stepped: now, Revision: 6}
	s := move.State{Move: record}.FencePut(cairn.FenceState{Number: 5, On: true, Index: 40, Digest: cairn.Digest{Entries: 3, Sum: 9}})
	s = s.Followed(cairn.Staged{Copied: 10, Complete: true, Through: 39, Digest: cairn.Digest{Entries: 2}}, true)
	if a := move.Decide(s, move.Facts{Turn: true, Settled: true}, now); a.Kind != move.Tail {
		t.Errorf("while changes are missing: %s", a)
	}
	s = s.Followed(cairn.Staged{Copied: 10, Complete: true, Through: 40, Digest: cairn.Digest{Entries: 3, Sum: 8}}, true)
	a := move.Decide(s, move.Facts{Turn: true, Settled: true}, now)
	if a.Kind != move.Swap || a.Next.Phase != shardmap.MoveCatchingUp || !a.Next.Cancel || a.Next.Problem == "" {
		t.Errorf("with all of it, and different: %s, %+v", a, a.Next)
	}
}
