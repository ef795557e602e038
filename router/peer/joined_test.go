package peer

import (
	"context"
	"fmt"
	"testing"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

// TestLocatesThatAskTheSameAreOneRequest has locates of different keys queue while
// one is being sent: those that ask as freshly are one request, of which some,
// its first caller among them, have left; each of the others has his own result.
func TestLocatesThatAskTheSameAreOneRequest(t *testing.T) {
	p, w := newWired(t)
	type outcome struct {
		caller int
		nodes  []cairn.NodeID
		err    error
	}
	outcomes := make(chan outcome, 8)
	asked := 0
	ask := func(ctx context.Context, caller int, epoch uint64) {
		go func() {
			reply := cairn.LocateReply{}
			keys := []cairn.Key{fmt.Appendf(nil, "k%d", caller)}
			err := p.Locate(ctx, &cairn.LocateRequest{Read: cairn.Read{Epoch: epoch}, Keys: keys}, &reply)
			out := outcome{caller: caller, err: err}
			for _, result := range reply.Results {
				out.nodes = append(out.nodes, result.Nodes...)
			}
			outcomes <- out
		}()
		for asked++; p.waiting() != asked; {
		}
	}
	ask(t.Context(), 1, 7)
	for p.sending() != 1 {
	}
	leaving, leave := context.WithCancel(t.Context())
	ask(leaving, 2, 7)
	ask(t.Context(), 3, 7)
	ask(leaving, 4, 7)
	ask(t.Context(), 5, 7)
	ask(t.Context(), 6, 8)
	leave()
	for range 2 {
		if given := <-outcomes; given.caller%2 != 0 || cairn.KindOf(given.err) != cairn.KindDeadline {
			t.Errorf("given up: %+v", given)
		}
	}
	first, second := <-w.sent, <-w.sent
	if len(second.GetJoined()) != 2 {
		t.Fatalf("sent: %v, then %v", first, second)
	}
	answers := &indexv1.LocateResponse{}
	for _, request := range append(second.GetJoined(), first) {
		keys, err := indexv1.DecodeKeys(request.GetKeys(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if same := request == second.GetJoined()[0]; same != (len(keys) == 4) || !same && len(keys) != 1 {
			t.Errorf("a request of %q", keys)
		}
		results := make([]cairn.Located, len(keys))
		for i, key := range keys {
			results[i] = cairn.Located{State: cairn.Found, Nodes: []cairn.NodeID{cairn.NodeID(key[1] - '0')}}
		}
		answers.Joined = append(answers.Joined, &indexv1.LocateResponse{Id: request.GetId(), Results: indexv1.AppendLocated(nil, results, false)})
	}
	w.received <- answers
	for range 4 {
		if got := <-outcomes; got.err != nil || len(got.nodes) != 1 || int(got.nodes[0]) != got.caller {
			t.Errorf("%+v", got)
		}
	}
	close(w.received)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// waiting is how many calls have been queued or sent and are not answered.
func (p *Peer) waiting() (n int) {
	l := p.locates[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return 0
	}
	l.current.mu.Lock()
	defer l.current.mu.Unlock()
	for _, c := range l.current.pending {
		n += 1 + len(c.with)
	}
	return n
}

// TestLocatesOfOneRequestFailTogether breaks the stream under a joined request.
func TestLocatesOfOneRequestFailTogether(t *testing.T) {
	s := &session[indexv1.LocateRequest, indexv1.LocateResponse]{wake: make(chan struct{}, 1), pending: map[uint64]*call[indexv1.LocateRequest, indexv1.LocateResponse]{}}
	s.link = &link[indexv1.LocateRequest, indexv1.LocateResponse]{address: "a", join: joinLocate}
	calls := make([]*call[indexv1.LocateRequest, indexv1.LocateResponse], 3)
	done := make([]chan *call[indexv1.LocateRequest, indexv1.LocateResponse], len(calls))
	for i := range calls {
		done[i] = make(chan *call[indexv1.LocateRequest, indexv1.LocateResponse], 1)
		request := &indexv1.LocateRequest{Keys: indexv1.AppendKeys(nil, []cairn.Key{{1}})}
		calls[i] = &call[indexv1.LocateRequest, indexv1.LocateResponse]{id: uint64(i + 1), request: request, done: done[i]}
		s.add(calls[i])
	}
	if sent, gone := calls[1].abandon(); !gone || !sent {
		t.Errorf("sent %t, gone %t", sent, gone)
	}
	s.fail(cairn.Errorf(cairn.KindUnavailable, "BROKEN", "broken"))
	for i, c := range calls {
		if got := len(done[i]); got != 1 && i != 1 || got == 1 && (i == 1 || cairn.ReasonOf(c.err) != "BROKEN") {
			t.Errorf("call %d: %d signals, %v", i, got, c.err)
		}
	}
}
