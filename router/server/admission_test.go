package server_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

const thingsName = "keyspaces/" + bed.Things

// retryIn is what a refusal says of when to try again.
func retryIn(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// TestACallerIsHeldToItsRate on every way to ask, but not where an operator or a watch
// comes in.
func TestACallerIsHeldToItsRate(t *testing.T) {
	stopped := time.Unix(1_000_000, 0) // no token comes back
	s := serve(t, 1, 1, server.Config{Admission: server.NewAdmission(server.CallerLimits{Rate: 10}, func() time.Time { return stopped })})
	conn := s.raw(t)
	locator, writer, views := cairnv1.NewLocatorClient(conn), cairnv1.NewWriterClient(conn), cairnv1.NewViewsClient(conn)
	batch := &cairnv1.BatchLocateRequest{Keyspace: thingsName, Keys: [][]byte{{1}, {2}, {3}, {4}, {5}, {6}, {7}}}
	if _, err := locator.BatchLocate(timeout(t), batch); err != nil {
		t.Fatal(err)
	}
	_, err := locator.BatchLocate(timeout(t), batch)
	hasDetails(t, "seven keys more", status.Convert(err), codes.ResourceExhausted, "CALLER_RATE")
	if delay := retryIn(err); delay < 300*time.Millisecond || delay > 500*time.Millisecond {
		t.Errorf("four keys are missing, of ten a second, and it says to come back after %v", delay)
	}
	for range 3 { // what was refused cost nothing
		if _, err := locator.Locate(timeout(t), &cairnv1.LocateRequest{Keyspace: thingsName, Key: []byte{1}}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = writer.Put(timeout(t), &cairnv1.PutRequest{})
	hasDetails(t, "a put", status.Convert(err), codes.ResourceExhausted, "CALLER_RATE")
	_, err = views.Count(timeout(t), &cairnv1.CountRequest{})
	hasDetails(t, "a question", status.Convert(err), codes.ResourceExhausted, "CALLER_RATE")
	stream, err := locator.StreamLocate(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&cairnv1.StreamLocateRequest{Id: 1, Batch: batch}); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil || codes.Code(response.GetError().GetCode()) != codes.ResourceExhausted {
		t.Errorf("a batch of a stream: %v, %v", response, err)
	}
	ctx, cancel := context.WithCancel(timeout(t))
	defer cancel()
	watch, err := cairnv1.NewChangesClient(conn).Watch(ctx, &cairnv1.WatchRequest{Keyspace: thingsName})
	if err == nil {
		_, err = watch.Recv()
	}
	if err != nil {
		t.Errorf("a watch: %v", err)
	}
}

// TestACallerHasSoManyCallsAtOnce: the next is refused until one has ended.
func TestACallerHasSoManyCallsAtOnce(t *testing.T) {
	s := serve(t, 1, 1, server.Config{Admission: server.NewAdmission(server.CallerLimits{Calls: 1}, time.Now)})
	c, err := client.Dial(s.address, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			var failure error
			for range 20 {
				_, _, err := c.Locate(timeout(t), bed.Things, cairn.Key("k"), cairn.Reading{})
				failure = errors.Join(failure, err)
			}
			done <- failure
		}()
	}
	for range cap(done) {
		// The client comes back when it is told to.
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestTokensComeBack with time, in a time of its own.
func TestTokensComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := server.NewAdmission(server.CallerLimits{Rate: 100, Calls: 2}, time.Now)
		enter := func(name string, things int, reason string) func() {
			t.Helper()
			leave, err := server.Enter(a, name, things)
			if cairn.ReasonOf(err) != reason {
				t.Fatalf("%d things of %s: %v; want the reason %q", things, name, err, reason)
			}
			return leave
		}
		enter("a", 1_000_000, "")() // a second's worth
		enter("a", 1, "CALLER_RATE")
		enter("b", 1, "")()
		time.Sleep(500 * time.Millisecond)
		enter("a", 51, "CALLER_RATE")
		first, second := enter("a", 1, ""), enter("a", 1, "")
		enter("a", 1, "CALLER_CALLS")
		first()
		enter("a", 1, "")()
		second()
		for i := range 5000 {
			enter(string(rune('a'+i)), 1, "")()
			time.Sleep(20 * time.Millisecond)
		}
		if n := server.Callers(a); n > 2000 {
			t.Errorf("%d callers are remembered, most of them idle", n)
		}
	})
}
