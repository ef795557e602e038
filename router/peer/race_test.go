package peer_test

import (
	"context"
	"testing"
	"time"

	"cairn"
	"cairn/router/peer"
)

// warm has a group learn how long answers take, and save hedges up.
func warm(t *testing.T, g *peer.Group) {
	t.Helper()
	for range 400 {
		if _, err := locate(t.Context(), g, 1, "k"); err != nil {
			t.Fatal(err)
		}
	}
}

// idle checks that nothing is in flight, and returns the standings.
func idle(t *testing.T, g *peer.Group) []peer.Standing {
	t.Helper()
	standings, _ := g.Standings()
	for _, s := range standings {
		if s.InFlight != 0 {
			t.Errorf("replica %s has %d questions in flight after all have ended", s.Address, s.InFlight)
		}
	}
	return standings
}

func TestASecondReplicaIsAskedWhereOneTakesLong(t *testing.T) {
	slow, well := newMember(), newMember()
	slow.stuck = make(chan struct{})
	t.Cleanup(func() { close(slow.stuck) })
	g, _ := groupOf(t, slow, well)
	warm(t, g)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	began := time.Now()
	for slow.held.Load() == 0 {
		if _, err := locate(ctx, g, stuckKeyspace, "k"); err != nil {
			t.Fatal(err)
		}
	}
	// Without a hedge it would have been half of the time.
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the answer came after %v", took)
	}
	idle(t, g)
	if _, hedges := g.Standings(); hedges.Sent == 0 || hedges.Won == 0 {
		t.Errorf("hedges: %+v", hedges)
	}
}

// TestQuestionsAboutViewsHedgeToo: they wait on a link of their own.
func TestQuestionsAboutViewsHedgeToo(t *testing.T) {
	slow, well := newMember(), newMember()
	slow.stuck = make(chan struct{})
	t.Cleanup(func() { close(slow.stuck) })
	asked := make(chan struct{}, 1000)
	g, _ := groupOf(t, slow, well)
	slow.asked = func(*cairn.ViewRequest) { asked <- struct{}{} }
	ask := func(ctx context.Context, keyspace cairn.UID) {
		t.Helper()
		if _, err := g.AskView(ctx, &cairn.ViewRequest{Read: cairn.Read{Keyspace: keyspace}, Asked: cairn.AskMembership}); cairn.KindOf(err) == cairn.KindDeadline {
			t.Fatal(err)
		}
	}
	for range 400 {
		ask(t.Context(), 1)
	}
	if len(asked) == 0 {
		t.Fatal("the slow one was not asked at all")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for won := false; !won; {
		ask(ctx, stuckKeyspace)
		_, hedges := g.Standings()
		won = hedges.Won > 0
	}
	idle(t, g)
}

// TestLinearizableReadsAndWritesAreNotHedged, whatever they take.
func TestLinearizableReadsAndWritesAreNotHedged(t *testing.T) {
	leader, follower := newMember(), newMember()
	leader.stuck, leader.silent = make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(leader.stuck); close(leader.silent) })
	g, _ := groupOf(t, leader, follower)
	warm(t, g)
	_, before := g.Standings()
	asked := follower.located.Load()
	// giveUp leaves a question alone for as long as fifty hedges would wait.
	giveUp := func(question func(context.Context) error) error {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		held := leader.held.Load()
		done := make(chan error, 1)
		go func() { done <- question(ctx) }()
		for leader.held.Load() == held {
			select {
			case err := <-done:
				t.Fatalf("answered without the leader: %v", err)
			case <-time.After(time.Millisecond):
			}
		}
		time.Sleep(50 * time.Millisecond)
		cancel()
		return <-done
	}
	err := giveUp(func(ctx context.Context) error {
		request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: stuckKeyspace, Level: cairn.Linearizable}, Keys: []cairn.Key{cairn.Key("k")}}
		return g.Locate(ctx, request, new(cairn.LocateReply))
	})
	if err == nil {
		t.Error("answered although the leader does not")
	}
	err = giveUp(func(ctx context.Context) error {
		_, err := g.Write(ctx, put(stuckKeyspace, "k"))
		return err
	})
	if cairn.KindOf(err) != cairn.KindUnknown {
		t.Errorf("a write that is not answered: %v", err)
	}
	if follower.writes.Load() > 0 {
		t.Error("a write was put to a second replica")
	}
	if _, after := g.Standings(); after != before || follower.located.Load() != asked {
		t.Errorf("hedges %+v, then %+v; the follower was asked %d times more", before, after, follower.located.Load()-asked)
	}
}

// TestReadsOfAtLeastGoWhereTheIndexIs: to all that are known to have reached it, else
// to the leader.
func TestReadsOfAtLeastGoWhereTheIndexIs(t *testing.T) {
	leader, follower := newMember(), newMember()
	g, _ := groupOf(t, leader, follower)
	if _, err := g.Write(t.Context(), put(1, "k")); err != nil {
		t.Fatal(err)
	}
	atLeast := func(index uint64) {
		t.Helper()
		for range 40 {
			request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: 1, Level: cairn.AtLeast, Index: index}, Keys: []cairn.Key{cairn.Key("k")}}
			if err := g.Locate(t.Context(), request, new(cairn.LocateReply)); err != nil {
				t.Fatal(err)
			}
		}
	}
	atLeast(9)
	if n := follower.located.Load(); n != 0 {
		t.Errorf("one that is not known to have reached the index was asked %d times", n)
	}
	warm(t, g) // answers are of index 9
	before := follower.located.Load()
	atLeast(10)
	if n := follower.located.Load() - before; n != 0 {
		t.Errorf("one that was at a lower index was asked %d times", n)
	}
	atLeast(9)
	if follower.located.Load() == before {
		t.Error("one that has reached the index was not asked")
	}
}

// TestWhoGoesAwayBlamesNobody: cancelled questions leave no trace.
func TestWhoGoesAwayBlamesNobody(t *testing.T) {
	stuck := []*member{newMember(), newMember()}
	for _, m := range stuck {
		m.stuck = make(chan struct{})
		t.Cleanup(func() { close(m.stuck) })
	}
	g, _ := groupOf(t, stuck...)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := locate(ctx, g, stuckKeyspace, "k")
			done <- err
		}()
		before := stuck[0].held.Load() + stuck[1].held.Load()
		for stuck[0].held.Load()+stuck[1].held.Load() == before {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; cairn.KindOf(err) != cairn.KindDeadline {
			t.Fatal(err)
		}
	}
	for _, s := range idle(t, g) {
		if s.Ejected || s.Asked == 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestEqualReplicasShareReadsOfOneKey over real connections. All reads count; where a busy
// machine has held a replica up, which then rightly has less, more are made.
func TestEqualReplicasShareReadsOfOneKey(t *testing.T) {
	members := []*member{newMember(), newMember(), newMember()}
	g, _ := groupOf(t, members...)
	var share float64
	for range 10 {
		for range 5 {
			warm(t, g)
		}
		var total, most int64
		for _, m := range members {
			n := m.located.Load()
			total, most = total+n, max(most, n)
		}
		if share = float64(most) * float64(len(members)) / float64(total); share <= 1.25 {
			return
		}
	}
	t.Errorf("the fullest replica has %.2f of the mean", share)
}
