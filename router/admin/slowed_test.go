package admin_test

import (
	"strings"
	"testing"
	"time"

	"cairn/router/admin"
	"cairn/shardmap"
)

// TestMoveSaysWhatSlowsIt: a move that goes on without getting on says why.
func TestMoveSaysWhatSlowsIt(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 2))
	begun, err := a.MoveShard(ctx, "things", 1, "south", admin.MoveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	record := begun.Move
	for _, step := range []struct {
		phase   shardmap.MovePhase
		attempt uint32
		since   time.Duration
		says    string
	}{
		{shardmap.MoveCopying, 1, time.Hour, ""},
		{shardmap.MoveCatchingUp, 1, 0, ""},
		{shardmap.MoveCatchingUp, 1, time.Minute, "about as fast as its changes"},
		{shardmap.MoveCopying, 2, 0, "attempt 2"},
	} {
		next := record
		next.Phase, next.Attempt, next.Stepped = step.phase, step.attempt, time.Now().Add(-step.since)
		change, err := shardmap.StepMove(x.store.Map(), record, next)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.store.Commit(ctx, change); err != nil {
			t.Fatal(err)
		}
		info, err := a.GetMove(ctx, record.UID)
		if err != nil || !strings.Contains(info.Waits, step.says) || step.says == "" && info.Waits != "" {
			t.Errorf("%+v: it waits for %q, %v", step, info.Waits, err)
		}
		record = info.Move
	}
}
