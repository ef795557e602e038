package rpcerr_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

func genError() *rapid.Generator[*cairn.Error] {
	return rapid.Custom(func(t *rapid.T) *cairn.Error {
		e := &cairn.Error{
			Op:     rapid.SampledFrom([]string{"", "put", "open checkpoint"}).Draw(t, "op"),
			Kind:   cairn.Kind(rapid.IntRange(0, int(cairn.KindUnimplemented)).Draw(t, "kind")),
			Reason: rapid.SampledFrom([]string{"", "KEY_TOO_LONG", "DISK_FULL"}).Draw(t, "reason"),
			Field:  rapid.SampledFrom([]string{"", "key", "attributes.length_ft"}).Draw(t, "field"),
		}
		if rapid.Bool().Draw(t, "keyed") {
			e.Key = rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "key")
		}
		if rapid.Bool().Draw(t, "timed") {
			e.RetryAfter = 7 * time.Second
		}
		if rapid.Bool().Draw(t, "worded") {
			e.Err = errors.New(rapid.StringN(1, 40, -1).Draw(t, "text"))
		}
		return e
	})
}

func TestRoundTripIsLossless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := genError().Draw(t, "error")
		raw, err := proto.Marshal(rpcerr.ToProto(e))
		if err != nil {
			t.Fatal(err)
		}
		message := rpcerr.ToProto(&cairn.Error{})
		if err := proto.Unmarshal(raw, message); err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]*cairn.Error{"proto": rpcerr.FromProto(message), "error": rpcerr.FromError(status.ErrorProto(message))} {
			if got.Op != e.Op || got.Kind != e.Kind || got.Reason != e.Reason || got.Field != e.Field || got.RetryAfter != e.RetryAfter || string(got.Key) != string(e.Key) {
				t.Fatalf("%s: got %#v, want %#v", name, got, e)
			}
			if got.Error() != e.Error() {
				t.Fatalf("%s: text %q, want %q", name, got.Error(), e.Error())
			}
		}
	})
}

func TestCodes(t *testing.T) {
	for kind, want := range map[cairn.Kind]codes.Code{
		cairn.KindInternal: codes.Internal, cairn.KindInvalid: codes.InvalidArgument, cairn.KindNotFound: codes.NotFound,
		cairn.KindPrecondition: codes.FailedPrecondition, cairn.KindConflict: codes.Aborted, cairn.KindStale: codes.FailedPrecondition,
		cairn.KindNotYet: codes.Unavailable, cairn.KindCompacted: codes.OutOfRange, cairn.KindExhausted: codes.ResourceExhausted,
		cairn.KindUnavailable: codes.Unavailable, cairn.KindUnknown: codes.Unavailable, cairn.KindDeadline: codes.DeadlineExceeded,
		cairn.KindCorrupt: codes.DataLoss, cairn.KindUnimplemented: codes.Unimplemented,
	} {
		if got := rpcerr.ToStatus(cairn.Errorf(kind, "R", "text")).Code(); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
	if rpcerr.ToStatus(nil).Code() != codes.OK || rpcerr.FromError(nil) != nil || rpcerr.FromProto(nil) != nil {
		t.Error("nil is not OK")
	}
	if got := rpcerr.ToStatus(errors.New("x")); got.Code() != codes.Internal {
		t.Errorf("a foreign error: %s", got.Code())
	}
	if got := rpcerr.ToStatus(fmt.Errorf("x: %w", context.Canceled)); got.Code() != codes.Canceled {
		t.Errorf("a cancelled context: %s", got.Code())
	}
	if got := rpcerr.ToStatus(status.Error(codes.PermissionDenied, "no")); got.Code() != codes.PermissionDenied {
		t.Errorf("a status: %s", got.Code())
	}
}

func TestInvalidNamesTheField(t *testing.T) {
	e := cairn.Invalid("attributes.length_ft", "VALUE_TYPE", "a value of type string; the attribute is declared int")
	for _, detail := range rpcerr.ToStatus(e).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			violation := bad.GetFieldViolations()[0]
			if violation.GetField() != e.Field || violation.GetReason() != e.Reason || violation.GetDescription() != e.Err.Error() {
				t.Fatalf("violation %v", violation)
			}
			return
		}
	}
	t.Fatal("no BadRequest")
}

func TestRetryInfo(t *testing.T) {
	has := func(err error) bool {
		for _, detail := range rpcerr.ToStatus(err).Details() {
			if _, ok := detail.(*errdetails.RetryInfo); ok {
				return true
			}
		}
		return false
	}
	if !has(cairn.Errorf(cairn.KindNotYet, "LOG_BEHIND", "x")) || !has(cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "x")) {
		t.Error("no RetryInfo where trying again helps")
	}
	if has(cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "x")) || has(cairn.Errorf(cairn.KindExhausted, "REPLY_TOO_LARGE", "x")) {
		t.Error("RetryInfo where trying again does not help")
	}
}

func TestErrorsOfGRPC(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := indexv1.NewIndexClient(conn)
	_, err = client.Status(t.Context(), &indexv1.StatusRequest{})
	got := rpcerr.From(address, err)
	if got.Kind != cairn.KindUnavailable || got.Reason != "UNREACHABLE" || !strings.Contains(got.Error(), address) {
		t.Errorf("a refused connection: %s %s %q", got.Kind, got.Reason, got)
	}
	if want := "can't reach the server at " + address + ": dial tcp " + address + ": connect: connection refused"; got.Error() != want {
		t.Errorf("a refused connection: %q, want %q", got, want)
	}
	if !errors.Is(got, syscall.ECONNREFUSED) {
		t.Error("that a connection was refused can't be told from other errors")
	}
	if got := rpcerr.FromError(err); got.Kind != cairn.KindUnavailable || !errors.Is(got, syscall.ECONNREFUSED) {
		t.Errorf("a refused connection: %s", got.Kind)
	}
	if rpcerr.IsAnswer(err) || !rpcerr.IsAnswer(rpcerr.ToStatus(got).Err()) || rpcerr.IsAnswer(errors.New("x")) || rpcerr.IsAnswer(nil) {
		t.Error("only what a server of Cairn's has written is an answer")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	_, err = client.Status(ctx, &indexv1.StatusRequest{})
	if got := rpcerr.From(address, err); got.Kind != cairn.KindDeadline {
		t.Errorf("a deadline: %s", got.Kind)
	}
	if got := rpcerr.FromError(ctx.Err()); got.Kind != cairn.KindDeadline || !errors.Is(got, context.DeadlineExceeded) {
		t.Errorf("a context's error: %v", got)
	}
}

func TestInvalidUTF8Travels(t *testing.T) {
	e := cairn.Invalid("attributes.\xff", "X", "bad \xff text")
	if _, err := proto.Marshal(rpcerr.ToProto(e)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAnErrorRepeatsIsBounded(t *testing.T) {
	long := strings.Repeat("\u20ac", 5_000)
	e := &cairn.Error{Op: long, Kind: cairn.KindInvalid, Reason: "NAME_UNKNOWN", Field: "attributes." + long, Key: make(cairn.Key, 5_000), Err: errors.New(long)}
	message := rpcerr.ToProto(e)
	if size := proto.Size(message); size > 4<<10 {
		t.Errorf("%d bytes", size)
	}
	got := rpcerr.FromProto(message)
	if got.Kind != e.Kind || got.Reason != e.Reason || !strings.HasPrefix(got.Field, "attributes.\u20ac") || !strings.HasSuffix(got.Error(), "...") {
		t.Errorf("got %+v", got)
	}
}

func TestShortenKeepsKindReasonAndField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := genError().Draw(t, "error")
		most := rapid.IntRange(0, 600).Draw(t, "most")
		message := rpcerr.ToProto(e)
		before := proto.Size(message)
		rpcerr.Shorten(message, most)
		if after := proto.Size(message); after > before || after > max(most, 200) {
			t.Fatalf("%d bytes, of %d, for %d", after, before, most)
		}
		if got := rpcerr.FromProto(message); got.Kind != e.Kind || got.Reason != e.Reason || got.Field != e.Field {
			t.Fatalf("got %#v, want %#v", got, e)
		}
	})
}

func TestCancelledIsItsOwnCode(t *testing.T) {
	for err, code := range map[error]codes.Code{context.Canceled: codes.Canceled, context.DeadlineExceeded: codes.DeadlineExceeded} {
		s := rpcerr.ToStatus(fmt.Errorf("wait: %w", err))
		if s.Code() != code || rpcerr.FromError(s.Err()).Kind != cairn.KindDeadline {
			t.Errorf("%v: %v", err, s)
		}
	}
}
