package client

import (
	"context"
	"math"
	"strings"
	"time"

	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admit"
)

// gates hold back the calls that a router with too much to do would refuse, or answer too
// late: to refuse one costs it time in which it could answer another. Each kind of call is
// by itself, as it is in a router. Streams are not held back, nor what operators ask.
type gates struct {
	began                time.Time // where their time begins
	reads, writes, views admit.Gate
	refusals             [admit.LatestRetry / retryStep]*cairn.Error // by when to try again
}

// retryStep is between the times after which calls that are held back may be tried again.
const retryStep = 50 * time.Millisecond

func newGates(address string) *gates {
	// How many wait here is for who calls to bound.
	most := func() admit.Gate { return admit.Gate{Most: math.MaxInt} }
	g := &gates{began: time.Now(), reads: most(), writes: most(), views: most()}
	for i := range g.refusals {
		retry := time.Duration(i+1) * retryStep
		g.refusals[i] = cairn.Errorf(cairn.KindExhausted, cairn.ReasonOverloaded,
			"router %s answers less than it is asked; this was not sent, try again in %s", address, retry)
		g.refusals[i].RetryAfter = retry
	}
	return g
}

// of is the gate of a method, nil if it has none.
func (g *gates) of(method string) *admit.Gate {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	switch service {
	case cairnv1.Locator_ServiceDesc.ServiceName:
		return &g.reads
	case cairnv1.Writer_ServiceDesc.ServiceName:
		return &g.writes
	case cairnv1.Views_ServiceDesc.ServiceName:
		return &g.views
	}
	return nil
}

// call is an interceptor of unary calls.
func (g *gates) call(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	gate := g.of(method)
	if gate == nil {
		return invoke(ctx, method, req, reply, conn, options...)
	}
	left := DefaultTimeout
	if deadline, has := ctx.Deadline(); has {
		left = time.Until(deadline)
	}
	began := time.Since(g.began)
	if retry, ok := gate.Enter(began, left); !ok {
		return g.refusals[min((retry-1)/retryStep, time.Duration(len(g.refusals)-1))]
	}
	err := invoke(ctx, method, req, reply, conn, options...)
	gate.Leave(began, time.Since(g.began), err == nil)
	return err
}
