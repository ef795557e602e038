package server

import (
	"context"
	"time"

	"google.golang.org/grpc/tap"
)

// longestTapped is how much time a call may have that is refused unread: gRPC keeps the timer
// of one that it did not take in until the time is up.
const longestTapped = 10 * time.Second

// tapped refuses calls that letIn would refuse before gRPC takes them in.
func (s *Server) tapped(ctx context.Context, call *tap.Info) (context.Context, error) {
	gate := s.gates.of(call.FullMethodName)
	if gate == nil {
		return ctx, nil
	}
	left := timeOf(ctx)
	if left > longestTapped {
		return ctx, nil
	}
	if retry, refused := gate.Refuses(time.Since(s.gates.began), left); refused {
		began := s.config.Events.began()
		err := overrun(retry).status
		s.config.Events.ended(call.FullMethodName, began, err)
		return ctx, err
	}
	return ctx, nil
}
