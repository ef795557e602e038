package admin_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap"
)

// until waits for a condition of the map.
func (x *indexes) until(t *testing.T, what string, holds func(*shardmap.Map) bool) *shardmap.Map {
	t.Helper()
	changed, cancel := x.store.Subscribe()
	defer cancel()
	ctx := bounded(t)
	for !holds(x.store.Map()) {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
	return x.store.Map()
}

// active are the moves of a map that go on.
func active(m *shardmap.Map) (out []shardmap.Move) {
	for _, move := range m.Moves() {
		if move.Phase.Active() {
			out = append(out, move)
		}
	}
	return out
}

// end ends a move by hand, as its mover would.
func (x *indexes) end(t *testing.T, move shardmap.Move, phases ...shardmap.MovePhase) {
	t.Helper()
	for _, phase := range phases {
		next := move
		next.Phase, next.Problem = phase, "by hand"
		change, err := shardmap.StepMove(x.store.Map(), move, next)
		if err != nil {
			t.Fatal(err)
		}
		revision, err := x.store.Commit(bounded(t), change)
		if err != nil {
			t.Fatal(err)
		}
		m, err := x.store.Wait(bounded(t), revision)
		if err != nil {
			t.Fatal(err)
		}
		move, _ = m.Move(move.UID)
	}
}

// TestBalance evens clusters out round by round once it is switched on, and stops at
// the first move that is cancelled until it is switched on again. Two that run at
// once begin each round once.
func TestBalance(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 8))
	entries := map[cairn.ShardID]uint64{}
	for id := cairn.ShardID(1); id <= 8; id++ {
		m := x.store.Map()
		north, _ := m.Catalog().ClusterByName("north")
		if s, _ := m.Shard(m.Catalog().Keyspaces()[0].UID, id); s.Cluster == north.UID {
			entries[id] = 100
		}
	}
	x.entries = entries
	stopped := make(chan string, 2)
	done := make(chan struct{})
	running, cancel := context.WithCancel(t.Context())
	for range 2 {
		go func() {
			defer func() { done <- struct{}{} }()
			changed, unsubscribe := x.store.Subscribe()
			defer unsubscribe()
			a.RunBalance(running, x.store.Map, changed, admin.BalanceEvents{
				Stopped: func(why string) { stopped <- why },
				Failed:  func(err error) { t.Log(err) },
			})
		}()
	}
	defer func() {
		cancel()
		<-done
		<-done
	}()

	on := shardmap.Balance{On: true, Share: 1, Moves: 1, Every: shardmap.LeastBalanceEvery}
	if _, err := a.SetBalance(ctx, on); err != nil {
		t.Fatal(err)
	}
	m := x.until(t, "a round", func(m *shardmap.Map) bool { return len(active(m)) > 0 })
	first := active(m)
	if len(first) != 1 || first[0].Who != admin.BalanceCaller {
		t.Fatalf("moves %v by %s", first, first[0].Who)
	}
	x.end(t, first[0], shardmap.MoveCommitted, shardmap.MoveDone)
	m = x.until(t, "another round", func(m *shardmap.Map) bool { return len(active(m)) > 0 })
	second := active(m)
	if len(second) != 1 || len(m.Moves()) != 2 {
		t.Fatalf("%d moves, of which go on %v", len(m.Moves()), second)
	}
	x.end(t, second[0], shardmap.MoveCancelled)
	if why := <-stopped; !strings.Contains(why, "by hand") || !strings.Contains(why, second[0].UID.String()) {
		t.Errorf("it says %q", why)
	}
	settings, err := a.Settings(ctx)
	if err != nil || settings.Balance.Stopped == "" || !settings.Balance.On {
		t.Errorf("%+v, %v", settings.Balance, err)
	}
	if _, err := a.SetBalance(ctx, on); err != nil {
		t.Fatal(err)
	}
	m = x.until(t, "a round after it was switched on again", func(m *shardmap.Map) bool { return len(active(m)) > 0 })
	if _, err := a.SetBalance(ctx, shardmap.Balance{}); err != nil {
		t.Fatal(err)
	}
	if off, err := a.Settings(ctx); err != nil || off.Balance.On || off.Balance.Stopped != "" {
		t.Errorf("off: %+v, %v", off.Balance, err)
	}
	if got := active(m); len(got) != 1 {
		t.Errorf("moves that go on: %v", got)
	}
	for field, wrong := range map[string]shardmap.Balance{
		"balance.every": {On: true, Every: time.Millisecond}, "balance.share": {Share: 2}, "balance.moves": {Moves: -1},
	} {
		if _, err := a.SetBalance(ctx, wrong); cairn.ReasonOf(err) != "SETTING_OUT_OF_RANGE" || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestBalanceSwitchedOnMeanwhile has one who runs the balance look at a map in which a
// move is cancelled, and come to note that after an operator has switched it on again.
func TestBalanceSwitchedOnMeanwhile(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 8))
	x.entries = map[cairn.ShardID]uint64{1: 100, 3: 100}
	on := shardmap.Balance{On: true, Share: 1, Moves: 1, Every: shardmap.LeastBalanceEvery}
	if _, err := a.SetBalance(ctx, on); err != nil {
		t.Fatal(err)
	}
	running, cancel := context.WithCancel(ctx)
	begun := make(chan struct{}, 1)
	a.RunBalance(running, x.store.Map, nil, admin.BalanceEvents{Begun: func(int, int) { begun <- struct{}{}; cancel() }})
	<-begun
	moves := active(x.until(t, "a round", func(m *shardmap.Map) bool { return len(active(m)) > 0 }))
	x.end(t, moves[0], shardmap.MoveCancelled)
	before := x.store.Map()
	for _, each := range []shardmap.Balance{{}, on} {
		if _, err := a.SetBalance(ctx, each); err != nil {
			t.Fatal(err)
		}
	}
	running, cancel = context.WithCancel(ctx)
	defer cancel()
	looks := 0
	a.RunBalance(running, func() *shardmap.Map {
		if looks++; looks > 1 {
			cancel()
		}
		return before
	}, nil, admin.BalanceEvents{})
	if settings, err := a.Settings(ctx); err != nil || !settings.Balance.On || settings.Balance.Stopped != "" {
		t.Errorf("%+v, %v; a move of before has stopped it", settings.Balance, err)
	}
}
