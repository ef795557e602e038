package server

import (
	"context"
	"strings"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router"
	"cairn/router/admit"
)

// gates keep a server from taking in more than it can answer in time, whoever asks.
// Each kind of call is by itself, as they take differently long. What is outside of
// them is so of Admission too.
type gates struct {
	began                time.Time // where their time begins
	reads, writes, views admit.Gate
}

// mostCalls is how many calls of a kind may be under way: more than the writes that a
// router holds back for shards that move, since who waits for one cluster must not keep
// out who asks another.
const mostCalls = 1 << 17

func newGates() gates {
	most := func() admit.Gate { return admit.Gate{Most: mostCalls} }
	return gates{began: time.Now(), reads: most(), writes: most(), views: most()}
}

// of is the gate of a method, nil if it is let in always: an operator must get at a
// router that is overrun, and a watch is one call for as long as it lasts.
func (g *gates) of(method string) *admit.Gate {
	switch {
	case strings.HasPrefix(method, locatorMethods):
		return &g.reads
	case strings.HasPrefix(method, writerMethods):
		return &g.writes
	case strings.HasPrefix(method, viewsMethods):
		return &g.views
	}
	return nil
}

var (
	locatorMethods = "/" + cairnv1.Locator_ServiceDesc.ServiceName + "/"
	writerMethods  = "/" + cairnv1.Writer_ServiceDesc.ServiceName + "/"
	viewsMethods   = "/" + cairnv1.Views_ServiceDesc.ServiceName + "/"
)

// letIn lets a call in that asks for so many things and has so much time, until leave
// is called. It is refused with KindExhausted and when to try again: with OVERLOADED
// where the server has too much to do, or for what its caller has asked already.
func (s *Server) letIn(ctx context.Context, gate *admit.Gate, things int, left time.Duration) (leave func(answered bool), refusal error) {
	began := time.Since(s.gates.began)
	if retry, ok := gate.Enter(began, left); !ok {
		return nil, tooMuch("OVERLOADED", retry, "this router has more to answer than it can in time, %d calls; try again in %s", gate.InFlight(), retry.Round(time.Millisecond))
	}
	done, err := s.config.Admission.enter(limitedAs(CallerFrom(ctx)), things)
	if err != nil {
		gate.Leave(began, time.Since(s.gates.began), false)
		return nil, err
	}
	return func(answered bool) {
		done()
		gate.Leave(began, time.Since(s.gates.began), answered)
	}, nil
}

// timeOf is how much time a call has.
func timeOf(ctx context.Context) time.Duration {
	if deadline, has := ctx.Deadline(); has {
		return time.Until(deadline)
	}
	return router.DefaultTimeout
}
