package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/tap"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

// TestAnOverrunServerRefusesWhoWouldWaitInVain, and nobody else: neither who has time,
// nor who asks for something else, nor an operator.
func TestAnOverrunServerRefusesWhoWouldWaitInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{gates: newGates()}
		reads := s.gates.of(cairnv1.Locator_Locate_FullMethodName)
		// Three hundred come at once, a hundred are answered in a second.
		var leave []func(bool)
		for range 300 {
			left, err := s.letIn(t.Context(), reads, 1, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, left)
		}
		for _, left := range leave[:100] {
			time.Sleep(10 * time.Millisecond)
			left(true)
		}
		_, err := s.letIn(t.Context(), reads, 1, time.Second)
		if refusal := err.(*cairn.Error); refusal.Kind != cairn.KindExhausted || refusal.Reason != "OVERLOADED" ||
			refusal.RetryAfter < 50*time.Millisecond || refusal.RetryAfter > time.Second {
			t.Errorf("who has a second: %v, again after %v", err, refusal.RetryAfter)
		}
		tapped := func(method string, left time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			_, err := s.tapped(ctx, &tap.Info{FullMethodName: method})
			return err
		}
		// gRPC does not take such a call in, and says the same.
		if refusal := rpcerr.FromError(tapped(cairnv1.Locator_Locate_FullMethodName, time.Second)); refusal == nil ||
			refusal.Kind != cairn.KindExhausted || refusal.Reason != "OVERLOADED" || refusal.RetryAfter < 50*time.Millisecond {
			t.Errorf("before it is taken in: %v", refusal)
		}
		for _, method := range []string{cairnv1.Locator_StreamLocate_FullMethodName, cairnv1.Admin_Apply_FullMethodName, "/grpc.health.v1.Health/Check", cairnv1.Views_Count_FullMethodName} {
			if err := tapped(method, time.Second); err != nil {
				t.Errorf("%s is not taken in: %v", method, err)
			}
		}
		for _, well := range []struct {
			method string
			left   time.Duration
		}{
			{cairnv1.Locator_Locate_FullMethodName, time.Minute},
			{cairnv1.Writer_Put_FullMethodName, time.Second},
			{cairnv1.Views_Count_FullMethodName, time.Second},
		} {
			if _, err := s.letIn(t.Context(), s.gates.of(well.method), 1, well.left); err != nil {
				t.Errorf("%s with %v: %v", well.method, well.left, err)
			}
		}
		for _, outside := range []string{cairnv1.Admin_Apply_FullMethodName, cairnv1.Changes_Watch_FullMethodName, "/grpc.health.v1.Health/Check"} {
			if s.gates.of(outside) != nil {
				t.Errorf("%s is let in by a gate", outside)
			}
		}
		for _, left := range leave[100:] {
			left(true)
		}
		time.Sleep(100 * time.Millisecond)
		if _, err := s.letIn(t.Context(), reads, 1, time.Second); err != nil {
			t.Errorf("once all are answered: %v", err)
		}
	})
}
