package client

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// TestCallsThatWouldBeLateAreNotSent has more questions come than a router answers: those
// that it would answer too late are held back, and neither other kinds of calls nor what
// operators ask.
func TestCallsThatWouldBeLateAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates("127.0.0.1:7600")
		answer := make(chan struct{})
		call := func(method string, patience time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			return g.call(ctx, method, nil, nil, nil, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				select {
				case <-answer:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}
		// Three hundred come at once, a hundred are answered in a second.
		for range 300 {
			go func() {
				if err := call(cairnv1.Views_Count_FullMethodName, time.Minute); err != nil {
					t.Error(err)
				}
			}()
		}
		for range 100 {
			time.Sleep(10 * time.Millisecond)
			answer <- struct{}{}
		}
		synctest.Wait()
		began := time.Now()
		err := call(cairnv1.Views_Count_FullMethodName, time.Second)
		refusal, ok := err.(*cairn.Error)
		if !ok || refusal.Kind != cairn.KindExhausted || refusal.Reason != cairn.ReasonOverloaded ||
			refusal.RetryAfter < retryStep || refusal.RetryAfter > time.Second || time.Since(began) > 0 {
			t.Errorf("who has a second is told after %v: %v", time.Since(began), err)
		}
		for _, well := range []struct {
			method   string
			patience time.Duration
		}{
			{cairnv1.Views_Count_FullMethodName, time.Minute},
			{cairnv1.Locator_Locate_FullMethodName, time.Second},
			{cairnv1.Writer_Put_FullMethodName, time.Second},
			{cairnv1.Admin_Apply_FullMethodName, time.Second},
		} {
			sent := make(chan error)
			go func() { sent <- call(well.method, well.patience) }()
			synctest.Wait()
			select {
			case err := <-sent:
				t.Errorf("%s with %v: %v", well.method, well.patience, err)
			default:
			}
			go func() { <-sent }()
		}
		close(answer)
		synctest.Wait()
		time.Sleep(200 * time.Millisecond)
		if err := call(cairnv1.Views_Count_FullMethodName, time.Second); err != nil {
			t.Errorf("once all are answered: %v", err)
		}
	})
}
