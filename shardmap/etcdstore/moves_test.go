package etcdstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
	"cairn/shardmap/placement"
)

// moving is a store with a keyspace of which the first shard moves.
func moving(t *testing.T, server *etcdtest.Server) (*etcdstore.Store, shardmap.Move) {
	t.Helper()
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	north, south := addCluster(t, s, "north"), addCluster(t, s, "south")
	m := commit(t, s, newKeyspace(t, s, "runways", 4))
	shard, _ := m.Shard(keyspace(t, m, "runways").UID, 1)
	to := north.UID
	if shard.Cluster == to {
		to = south.UID
	}
	change, move, err := shardmap.StartMove(m, shardmap.MoveRequest{Keyspace: shard.Keyspace, Shard: shard.ID, To: to, Who: "ops", Why: "<why>"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, s, change)
	move, _ = m.Move(move.UID)
	return s, move
}

// stepped commits a step and returns the move after it.
func stepped(t *testing.T, s *etcdstore.Store, move shardmap.Move, change func(*shardmap.Move)) shardmap.Move {
	t.Helper()
	next := move
	change(&next)
	what, err := shardmap.StepMove(s.Map(), move, next)
	if err != nil {
		t.Fatal(err)
	}
	m := commit(t, s, what)
	move, _ = m.Move(move.UID)
	return move
}

// TestMovesAreStored: whoever watches, loads or reads the journal sees a move as it
// was put.
func TestMovesAreStored(t *testing.T) {
	server := etcdtest.Start(t)
	s, move := moving(t, server)
	journal := filepath.Join(t.TempDir(), "map.journal")
	watching := open(t, etcdstore.Config{Client: server.Client(t), Journal: journal})
	move = stepped(t, s, move, func(m *shardmap.Move) {
		m.Phase, m.Fence, m.Stale, m.Cancel, m.Paused, m.Problem, m.Attempt, m.Nodes = shardmap.MoveFenced, 7, 8, true, true, "\"slow\"", 3, "1=2,3=1"
	})
	if _, err := watching.Wait(bounded(t), move.Revision); err != nil {
		t.Fatal(err)
	}
	if got, _ := watching.Map().Move(move.UID); got != move {
		t.Errorf("watched\n%+v, want\n%+v", got, move)
	}
	if err := watching.Close(); err != nil {
		t.Fatal(err)
	}
	loading := open(t, etcdstore.Config{Client: server.Client(t)})
	if got, _ := loading.Map().Move(move.UID); got != move {
		t.Errorf("loaded\n%+v, want\n%+v", got, move)
	}
	client := server.Client(t)
	server.Stop()
	kept := open(t, etcdstore.Config{Client: client, Journal: journal, StartWait: time.Millisecond})
	if got, _ := kept.Map().Move(move.UID); got != move {
		t.Errorf("in the journal\n%+v, want\n%+v", got, move)
	}
}

// TestMoveIsSwapped: of two who step a move from the same record one wins, and a
// commit and a lift of its fence compete.
func TestMoveIsSwapped(t *testing.T) {
	server := etcdtest.Start(t)
	s, move := moving(t, server)
	other := open(t, etcdstore.Config{Client: server.Client(t)})
	move = stepped(t, s, move, func(m *shardmap.Move) { m.Phase, m.Fence = shardmap.MoveFenced, m.Revision })
	lifted, committed := move, move
	lifted.Phase, committed.Phase = shardmap.MoveCatchingUp, shardmap.MoveCommitted
	commitChange, err := shardmap.StepMove(s.Map(), move, committed)
	if err != nil {
		t.Fatal(err)
	}
	liftChange, err := shardmap.StepMove(s.Map(), move, lifted)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, other, liftChange)
	if _, err := s.Commit(bounded(t), commitChange); cairn.KindOf(err) != cairn.KindConflict {
		t.Fatalf("committed after the fence was lifted: %v", err)
	}
	m, err := s.Refresh(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if shard, _ := m.Shard(move.Keyspace, move.Shard); shard.Cluster != move.From || shard.Epoch != move.Epoch {
		t.Errorf("the shard is %s", shard)
	}
}

// TestOneMoveHoldsAShard: of two moves, and of a move and a split, that are begun
// by the same map one wins.
func TestOneMoveHoldsAShard(t *testing.T) {
	server := etcdtest.Start(t)
	s, move := moving(t, server)
	m := s.Map()
	request := shardmap.MoveRequest{Keyspace: move.Keyspace, Shard: 2, To: move.To}
	if shard, _ := m.Shard(move.Keyspace, 2); shard.Cluster == move.To {
		request.To = move.From
	}
	first, _, err := shardmap.StartMove(m, request, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := shardmap.StartMove(m, request, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	shard, _ := m.Shard(move.Keyspace, 2)
	middle, _ := placement.Middle(shard.Start, shard.End)
	split, err := shardmap.Split(m, move.Keyspace, 2, middle)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, first)
	for what, change := range map[string]shardmap.Change{"a second move": second, "a split": split} {
		if _, err := s.Commit(bounded(t), change); cairn.ReasonOf(err) != "MAP_CHANGED" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestElect: one leads at a time, and another soon after it is gone.
func TestElect(t *testing.T) {
	server := etcdtest.Start(t)
	leads := make(chan int, 10)
	ends := make([]context.CancelFunc, 2)
	over := make(chan struct{}, 2)
	for i := range ends {
		s := open(t, etcdstore.Config{Client: server.Client(t)})
		ctx, cancel := context.WithCancel(t.Context())
		ends[i] = cancel
		go func() {
			s.Elect(ctx, "test", func(ctx context.Context) {
				leads <- i
				<-ctx.Done()
			})
			over <- struct{}{}
		}()
	}
	first := <-leads
	select {
	case second := <-leads:
		t.Fatalf("%d leads beside %d", second, first)
	case <-time.After(200 * time.Millisecond):
	}
	ends[first]()
	select {
	case second := <-leads:
		if second == first {
			t.Fatal("who has gone leads")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody leads")
	}
	ends[1-first]()
	<-over
	<-over
}
