package server

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"cairn"
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
	// unary are the gates of the unary methods that have one, by full name.
	unary map[string]*admit.Gate
}

// mostCalls is how many calls of a kind may be under way: more than the writes that a
// router holds back for shards that move, since who waits for one cluster must not keep
// out who asks another.
const mostCalls = 1 << 17

func newGates() *gates {
	most := func() admit.Gate { return admit.Gate{Most: mostCalls} }
	g := &gates{began: time.Now(), reads: most(), writes: most(), views: most(), unary: make(map[string]*admit.Gate)}
	g.before(&g.reads, &cairnv1.Locator_ServiceDesc)
	g.before(&g.writes, &cairnv1.Writer_ServiceDesc)
	g.before(&g.views, &cairnv1.Views_ServiceDesc)
	return g
}

func (g *gates) before(gate *admit.Gate, service *grpc.ServiceDesc) {
	for _, method := range service.Methods {
		g.unary["/"+service.ServiceName+"/"+method.MethodName] = gate
	}
}

// of is the gate of a method, nil if it is let in always: an operator must get at a
// router that is overrun, and a watch is one call for as long as it lasts. A stream of
// locates is let in too, and its batches go through the gate.
func (g *gates) of(method string) *admit.Gate { return g.unary[method] }

// letIn lets a call in that asks for so many things and has so much time, until leave
// is called. It is refused with KindExhausted and when to try again: with OVERLOADED
// where the server has too much to do, or for what its caller has asked already.
func (s *Server) letIn(ctx context.Context, gate *admit.Gate, things int, left time.Duration) (leave func(answered bool), refusal error) {
	began := time.Since(s.gates.began)
	if retry, ok := gate.Enter(began, left); !ok {
		return nil, overrun(retry).refusal
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

// refusedFor is how one is refused who should try again after a time.
type refusedFor struct {
	refusal *cairn.Error
	status  error
}

// A refusal names a time in steps of retryStep, so that there are few different ones: what is
// the same as before takes next to nothing on a connection, and to write it nothing at all.
const retryStep = 50 * time.Millisecond

var overruns = func() (out [admit.LatestRetry / retryStep]refusedFor) {
	for i := range out {
		retry := time.Duration(i+1) * retryStep
		refusal := tooMuch(cairn.ReasonOverloaded, retry, "this router has more to answer than it can in time; try again in %s", retry)
		out[i] = refusedFor{refusal, asStatus(refusal)}
	}
	return out
}()

// overrun is how one is refused where the server has too much to do.
func overrun(retry time.Duration) *refusedFor {
	return &overruns[min((retry-1)/retryStep, time.Duration(len(overruns)-1))]
}

// timeOf is how much time a call has.
func timeOf(ctx context.Context) time.Duration {
	if deadline, has := ctx.Deadline(); has {
		return time.Until(deadline)
	}
	return router.DefaultTimeout
}
