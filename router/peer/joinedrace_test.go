package peer

import (
	"context"
	"testing"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

// TestRacesOfOneRequest has two reads of a group join one request, of which one is
// given up: the other is answered by it, neither stays in flight, and the balance
// does not take a caller who leaves for a slow replica.
func TestRacesOfOneRequest(t *testing.T) {
	p, w := newWired(t)
	g := NewGroup([]*Peer{p}, nil)
	type outcome struct {
		reply cairn.LocateReply
		err   error
	}
	asked := 0
	ask := func(ctx context.Context, key string) <-chan outcome {
		done := make(chan outcome, 1)
		go func() {
			var out outcome
			out.err = g.Locate(ctx, &cairn.LocateRequest{Read: cairn.Read{Epoch: 7}, Keys: []cairn.Key{cairn.Key(key)}}, &out.reply)
			done <- out
		}()
		for asked++; p.waiting() != asked; {
		}
		return done
	}
	first := ask(t.Context(), "first")
	for p.sending() != 1 {
	}
	leaving, leave := context.WithCancel(t.Context())
	left := ask(leaving, "left")
	stays := ask(t.Context(), "stays")
	leave()
	if out := <-left; cairn.KindOf(out.err) != cairn.KindDeadline {
		t.Errorf("who left: %v", out.err)
	}
	for _, keys := range []int{1, 2} {
		request := <-w.sent
		if got, err := indexv1.DecodeKeys(request.GetKeys(), nil); err != nil || len(got) != keys {
			t.Fatalf("a request of %q, %v; want %d keys", got, err, keys)
		}
		results := make([]cairn.Located, keys)
		for i := range results {
			results[i] = cairn.Located{State: cairn.Found, Nodes: []cairn.NodeID{cairn.NodeID(10*keys + i)}}
		}
		w.received <- &indexv1.LocateResponse{Id: request.GetId(), Index: 5, Results: indexv1.AppendLocated(nil, results, false)}
	}
	for want, done := range map[cairn.NodeID]<-chan outcome{10: first, 21: stays} {
		out := <-done
		if out.err != nil || len(out.reply.Results) != 1 || out.reply.Results[0].Nodes[0] != want {
			t.Errorf("got %+v, %v; want node %d", out.reply, out.err, want)
		}
	}
	standings, _ := g.Standings()
	if s := standings[0]; s.InFlight != 0 || s.Asked != 3 || s.GivenUp != 0 {
		t.Errorf("the replica stands at %+v", s)
	}
	close(w.received)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
