package client_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/client"
)

// refusing is a Writer that answers with the error that it takes out.
type refusing struct {
	cairnv1.UnimplementedWriterServer
	with chan error
}

func (r refusing) Put(context.Context, *cairnv1.PutRequest) (*cairnv1.PutResponse, error) {
	return nil, <-r.with
}

// TestWhatARouterAnswersToAWriteIsBelieved tells the answers of a router, which
// has carried nothing out unless it says so, from failures on the way.
func TestWhatARouterAnswersToAWriteIsBelieved(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := refusing{with: make(chan error, 1)}
	server := grpc.NewServer()
	cairnv1.RegisterWriterServer(server, r)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with Stop
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	c, err := client.Dial(listener.Addr().String(), client.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})

	answer := func(kind cairn.Kind, reason string) error {
		return rpcerr.ToStatus(cairn.Errorf(kind, reason, "text")).Err()
	}
	for _, test := range []struct {
		name   string
		got    error
		kind   cairn.Kind
		reason string
	}{
		{"an index that is down", answer(cairn.KindUnavailable, "UNREACHABLE"), cairn.KindUnavailable, "UNREACHABLE"},
		{"a router that does not serve yet", answer(cairn.KindUnavailable, "NOT_READY"), cairn.KindUnavailable, "NOT_READY"},
		{"a router out of time", answer(cairn.KindDeadline, "DEADLINE_EXCEEDED"), cairn.KindDeadline, "DEADLINE_EXCEEDED"},
		{"a condition", answer(cairn.KindPrecondition, "KEY_EXISTS"), cairn.KindPrecondition, "KEY_EXISTS"},
		{"a router that does not know", answer(cairn.KindUnknown, "OUTCOME_UNKNOWN"), cairn.KindUnknown, "OUTCOME_UNKNOWN"},
		{"a router with a defect", answer(cairn.KindInternal, "PANIC"), cairn.KindUnknown, "OUTCOME_UNKNOWN"},
		{"a proxy that lost the router", status.Error(codes.Unavailable, "upstream"), cairn.KindUnknown, "OUTCOME_UNKNOWN"},
		{"a proxy out of time", status.Error(codes.DeadlineExceeded, "upstream"), cairn.KindUnknown, "OUTCOME_UNKNOWN"},
	} {
		r.with <- test.got
		if err := putOne(c, "k"); cairn.KindOf(err) != test.kind || cairn.ReasonOf(err) != test.reason {
			t.Errorf("%s: %v; want %s, %s", test.name, err, test.kind, test.reason)
		}
	}
}
