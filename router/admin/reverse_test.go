package admin_test

import (
	"context"
	"testing"
	"time"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap"
)

// moved moves a shard by hand, as a mover would, and returns the move.
func moved(ctx context.Context, t *testing.T, a *admin.Admin, x *indexes) shardmap.Move {
	t.Helper()
	begun, err := a.MoveShard(ctx, "things", 1, "south", admin.MoveOptions{Keep: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	move := begun.Move
	for _, phase := range []shardmap.MovePhase{shardmap.MoveCommitted, shardmap.MoveDone} {
		next := move
		next.Phase = phase
		change, err := shardmap.StepMove(x.store.Map(), move, next)
		if err != nil {
			t.Fatal(err)
		}
		revision, err := x.store.Commit(ctx, change)
		if err != nil {
			t.Fatal(err)
		}
		m, err := x.store.Wait(ctx, revision)
		if err != nil {
			t.Fatal(err)
		}
		move, _ = m.Move(move.UID)
	}
	return move
}

// TestReverseMove begins a move back that knows what is kept.
func TestReverseMove(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 2))
	move := moved(ctx, t, a, x)
	back, err := a.ReverseMove(ctx, move.UID, admin.MoveOptions{Who: "ops"})
	if err != nil || back.To != move.From || back.Kept != move.Staging || back.Who != "ops" {
		t.Fatalf("%+v, %v", back, err)
	}
	if _, err := a.ReverseMove(ctx, back.UID, admin.MoveOptions{}); cairn.ReasonOf(err) != "MOVE_NOT_DONE" {
		t.Errorf("a move that goes on: %v", err)
	}
}

// TestGiveBack gives a shard back only where its owner says that it has lost it and
// its former owner that it keeps it.
func TestGiveBack(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 2))
	move := moved(ctx, t, a, x)
	if _, err := a.GiveBack(ctx, move.UID); cairn.ReasonOf(err) != "SHARD_SERVED" {
		t.Errorf("the owner serves it: %v", err)
	}
	x.withheld = map[string]bool{"south": true}
	if _, err := a.GiveBack(ctx, move.UID); cairn.ReasonOf(err) != "NOTHING_KEPT" {
		t.Errorf("the former owner has it no more: %v", err)
	}
	x.kept = map[string][]cairn.ShardStatus{"north": {{Keyspace: move.Keyspace, Shard: move.Shard, Epoch: move.Epoch}}}
	x.err = cairn.Errorf(cairn.KindUnavailable, "INDEX_GONE", "no answer")
	if _, err := a.GiveBack(ctx, move.UID); cairn.ReasonOf(err) != "INDEX_GONE" {
		t.Errorf("nobody answers: %v", err)
	}
	x.err = nil
	if _, err := a.GiveBack(ctx, move.UID); err != nil {
		t.Fatal(err)
	}
	if shard, _ := x.store.Map().Shard(move.Keyspace, move.Shard); shard.Cluster != move.From {
		t.Errorf("%s", shard)
	}
}
