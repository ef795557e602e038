package peer_test

import (
	"context"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"cairn"
	"cairn/router/peer"
)

// member is a replica of a group: who leads answers, the others name it.
type member struct {
	*trivial
	// instead is the leader's address; empty if this one leads.
	instead string
	// behind makes it refuse what it may answer.
	behind bool
	// silent, if it is there, is closed when it answers writes again.
	silent chan struct{}
	// located counts locates, held what waits.
	located, held atomic.Int64
}

func (m *member) Write(ctx context.Context, req *cairn.WriteRequest) (*cairn.WriteReply, error) {
	if m.silent != nil {
		m.held.Add(1)
		select {
		case <-m.silent:
		case <-ctx.Done():
			return nil, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "too late: %w", ctx.Err())
		}
	}
	if m.instead == "" {
		return m.trivial.Write(ctx, req)
	}
	refusal := cairn.Errorf(cairn.KindUnavailable, "NOT_LEADER", "another leads")
	refusal.Instead = m.instead
	return nil, refusal
}

func (m *member) Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	m.located.Add(1)
	if m.behind {
		return cairn.Errorf(cairn.KindNotYet, "LOG_BEHIND", "not yet")
	}
	if req.Keyspace == stuckKeyspace {
		m.held.Add(1)
	}
	return m.trivial.Locate(ctx, req, reply)
}

// newMember is one that holds nothing back.
func newMember() *member {
	open := make(chan struct{})
	close(open)
	return &member{trivial: &trivial{stuck: open}}
}

// groupOf serves members and connects a Group to them.
func groupOf(t *testing.T, members ...*member) (*peer.Group, []*edge) {
	t.Helper()
	var peers []*peer.Peer
	var edges []*edge
	for _, m := range members {
		edges = append(edges, serve(t, m, "127.0.0.1:0"))
		peers = append(peers, dial(t, edges[len(edges)-1].address))
	}
	return peer.NewGroup(peers, nil), edges
}

func TestWritesFindTheLeader(t *testing.T) {
	first, second, third := newMember(), newMember(), newMember()
	g, edges := groupOf(t, first, second, third)
	first.instead, second.instead = edges[2].address, edges[2].address
	for range 5 {
		if _, err := g.Write(t.Context(), put(1, "k")); err != nil {
			t.Fatal(err)
		}
	}
	if n := third.writes.Load(); n != 5 {
		t.Errorf("the leader got %d of 5 writes", n)
	}
}

// TestWritesFindTheNewLeader has the leader that others name be dead.
func TestWritesFindTheNewLeader(t *testing.T) {
	first, second, dead := newMember(), newMember(), newMember()
	g, edges := groupOf(t, first, second, dead)
	first.instead = edges[2].address
	edges[2].kill()
	if _, err := g.Write(t.Context(), put(1, "k")); err != nil {
		t.Fatal(err)
	}
	if n := second.writes.Load(); n != 1 {
		t.Errorf("the new leader got %d writes", n)
	}
}

// TestWritesLeaveASilentLeader has the leader neither answer nor go away. One
// write finds out; those that follow go where the new leader is, and keep to it.
func TestWritesLeaveASilentLeader(t *testing.T) {
	silent, follower, leader := newMember(), newMember(), newMember()
	silent.silent = make(chan struct{})
	defer close(silent.silent)
	g, edges := groupOf(t, silent, follower, leader)
	follower.instead = edges[2].address
	write := func(limit time.Duration, id cairn.RequestID) (time.Duration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		request := put(1, "k")
		request.RequestID = id
		began := time.Now()
		_, err := g.Write(ctx, request)
		return time.Since(began), err
	}
	if _, err := write(300*time.Millisecond, cairn.RequestID{}); cairn.KindOf(err) != cairn.KindUnknown {
		t.Errorf("a write that nobody answers: %v", err)
	}
	for range 4 {
		if took, err := write(10*time.Second, cairn.RequestID{}); err != nil || took > 3*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		time.Sleep(400 * time.Millisecond)
	}
	// A write with an id leaves time to be repeated.
	g, edges = groupOf(t, silent, follower, leader)
	follower.instead = edges[2].address
	id := cairn.NewRequestID(time.Now())
	if took, err := write(2*time.Second, id); cairn.KindOf(err) != cairn.KindUnknown || took > 1500*time.Millisecond {
		t.Errorf("after %v: %v", took, err)
	}
	if _, err := write(10*time.Second, id); err != nil {
		t.Error(err)
	}
}

func TestReadsGoRoundTroubledReplicas(t *testing.T) {
	behind, dead, well, silent := newMember(), newMember(), newMember(), newMember()
	behind.behind = true
	silent.stuck = make(chan struct{})
	g, edges := groupOf(t, behind, dead, well, silent)
	edges[1].kill()
	for range 8 {
		if _, err := locate(t.Context(), g, 1, "k"); err != nil {
			t.Fatal(err)
		}
	}
	// One that says nothing at all takes a part of the time only.
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := locate(ctx, g, stuckKeyspace, "k")
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsWrongIsAskedOnce(t *testing.T) {
	g, _ := groupOf(t, newMember(), newMember())
	if _, err := locate(t.Context(), g, brokenKeyspace, "k"); cairn.ReasonOf(err) != "KEY_EMPTY" {
		t.Errorf("%v; want what the first replica said", err)
	}
}

func TestIdentify(t *testing.T) {
	index := &trivial{}
	got, err := dial(t, serve(t, index, "127.0.0.1:0").address).Identify(t.Context())
	if want := index.Identify(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
