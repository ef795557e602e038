package server_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

// hasDetails checks that an error is one of Cairn's own, not gRPC's.
func hasDetails(t *testing.T, what string, s *status.Status, code codes.Code, reason string) {
	t.Helper()
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && s.Code() == code && info.GetReason() == reason && info.GetDomain() == rpcerr.Domain {
			return
		}
	}
	t.Errorf("%s: %v with %v; want %s with the reason %s in its details", what, s, s.Details(), code, reason)
}

// TestLargeMessagesAreExplained sends requests over the limit: the server says
// so itself, with what to do, and a stream goes on.
func TestLargeMessagesAreExplained(t *testing.T) {
	s := serve(t, 1, 1, server.Config{})
	conn := s.raw(t)
	const things = "keyspaces/" + bed.Things
	large := &cairnv1.BatchLocateRequest{Keyspace: things, Keys: make([][]byte, 1_500)}
	for i := range large.Keys {
		large.Keys[i] = bytes.Repeat([]byte{'k'}, 1024)
	}
	locator := cairnv1.NewLocatorClient(conn)
	_, err := locator.BatchLocate(timeout(t), large)
	hasDetails(t, "a batch", status.Convert(err), codes.ResourceExhausted, "MESSAGE_TOO_LARGE")
	if text := status.Convert(err).Message(); !strings.Contains(text, "1048576") || !strings.Contains(text, "15") || !strings.Contains(text, "send fewer") {
		t.Errorf("it says neither the sizes nor what to do: %s", text)
	}
	watch, err := cairnv1.NewChangesClient(conn).Watch(timeout(t), &cairnv1.WatchRequest{Keyspace: strings.Repeat("k", 2<<20)})
	if err == nil {
		_, err = watch.Recv()
	}
	hasDetails(t, "a watch", status.Convert(err), codes.ResourceExhausted, "MESSAGE_TOO_LARGE")

	stream, err := locator.StreamLocate(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	small := &cairnv1.BatchLocateRequest{Keyspace: things, Keys: [][]byte{{1}}}
	for i, batch := range []*cairnv1.BatchLocateRequest{large, small} {
		if err := stream.Send(&cairnv1.StreamLocateRequest{Id: uint64(i + 1), Batch: batch}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		resp, err := stream.Recv()
		switch {
		case err != nil:
			t.Fatal(err)
		case resp.GetId() == 1:
			hasDetails(t, "a batch of a stream", status.FromProto(resp.GetError()), codes.ResourceExhausted, "MESSAGE_TOO_LARGE")
		case len(resp.GetBatch().GetLocations()) != 1:
			t.Errorf("the batch after it: %v", resp)
		}
	}
}

// TestBatchesAreCounted mixes in what can't be read at all: it counts too.
func TestBatchesAreCounted(t *testing.T) {
	s := serve(t, 1, 1, server.Config{})
	conn := s.raw(t)
	const things = "keyspaces/" + bed.Things
	writes := make([]*cairnv1.Write, cairn.MaxBatch+1)
	for i := range writes {
		writes[i] = &cairnv1.Write{Operation: &cairnv1.Write_Delete{Delete: []byte("k")}}
	}
	writes[7] = &cairnv1.Write{}
	_, err := cairnv1.NewWriterClient(conn).BatchWrite(timeout(t), &cairnv1.BatchWriteRequest{Keyspace: things, Writes: writes})
	hasDetails(t, "10,001 writes, one without an operation", status.Convert(err), codes.InvalidArgument, "BATCH_TOO_LARGE")

	stream, err := cairnv1.NewLocatorClient(conn).StreamLocate(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&cairnv1.StreamLocateRequest{Batch: &cairnv1.BatchLocateRequest{Keyspace: things, Keys: make([][]byte, 400_000)}}); err != nil {
		t.Fatal(err)
	}
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	hasDetails(t, "400,000 keys in a stream", status.FromProto(resp.GetError()), codes.InvalidArgument, "BATCH_TOO_LARGE")
	if e := rpcerr.FromProto(resp.GetError()); e.Field != "keys" || !strings.Contains(e.Error(), "400000") {
		t.Errorf("it says %v about %s", e, e.Field)
	}
}

// TestManyFailuresFitAMessage has as many errors in one response as there can
// be: clients take messages of 4 MiB by default.
func TestManyFailuresFitAMessage(t *testing.T) {
	s := serve(t, 1, 1, server.Config{})
	conn := s.raw(t)
	const things = "keyspaces/" + bed.Things
	writes := make([]*cairnv1.Write, cairn.MaxBatch)
	for i := range writes {
		writes[i] = &cairnv1.Write{Operation: &cairnv1.Write_Put{Put: &cairnv1.Put{
			Key: []byte{byte(i >> 8), byte(i), 0, 1, 2, 3}, Attributes: map[string]*cairnv1.Value{"no_such_attribute_here_at_all": {Kind: &cairnv1.Value_IntValue{}}},
		}}}
	}
	writes[0].GetPut().Attributes = nil
	written, err := cairnv1.NewWriterClient(conn).BatchWrite(timeout(t), &cairnv1.BatchWriteRequest{Keyspace: things, Writes: writes})
	if err != nil {
		t.Fatalf("%v; the first write has taken effect", err)
	}
	for i, result := range written.GetResults() {
		if e := rpcerr.FromProto(result.GetError()); i > 0 && (e == nil || e.Reason != "ATTRIBUTE_UNKNOWN" || e.Kind != cairn.KindInvalid || !strings.HasPrefix(e.Field, "writes[")) {
			t.Fatalf("write %d: %+v", i, e)
		}
	}
	keys := make([][]byte, cairn.MaxBatch)
	keys[0] = []byte("there")
	located, err := cairnv1.NewLocatorClient(conn).BatchLocate(timeout(t), &cairnv1.BatchLocateRequest{Keyspace: things, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	for i, location := range located.GetLocations() {
		if e := rpcerr.FromProto(location.GetError()); i > 0 && (e == nil || e.Reason != "KEY_EMPTY") {
			t.Fatalf("key %d: %+v", i, e)
		}
	}
}

// TestErrorsStaySmall echoes no more of bad input than fits the trailers that
// gRPC clients take, which is 8 KiB in many languages.
func TestErrorsStaySmall(t *testing.T) {
	s := serve(t, 1, 1, server.Config{})
	conn := s.raw(t)
	long := strings.Repeat("é", 100_000)
	_, named := cairnv1.NewLocatorClient(conn).Locate(timeout(t), &cairnv1.LocateRequest{Keyspace: "keyspaces/" + long, Key: []byte("k")})
	_, bare := cairnv1.NewLocatorClient(conn).Locate(timeout(t), &cairnv1.LocateRequest{Keyspace: long, Key: []byte("k")})
	_, attribute := cairnv1.NewWriterClient(conn).Put(timeout(t), &cairnv1.PutRequest{Keyspace: "keyspaces/" + bed.Things, Put: &cairnv1.Put{
		Key: []byte("k"), Attributes: map[string]*cairnv1.Value{long: {Kind: &cairnv1.Value_BoolValue{}}}}})
	for _, each := range []struct {
		err    error
		code   codes.Code
		reason string
	}{{named, codes.NotFound, "KEYSPACE_NOT_FOUND"}, {bare, codes.InvalidArgument, "RESOURCE_NAME"}, {attribute, codes.InvalidArgument, "ATTRIBUTE_UNKNOWN"}} {
		s := status.Convert(each.err)
		hasDetails(t, each.reason, s, each.code, each.reason)
		// Base64 of the details, and the message with each byte escaped.
		if size := proto.Size(s.Proto())*4/3 + 3*len(s.Message()); size > 8<<10 {
			t.Errorf("%s: about %d bytes of trailers", each.reason, size)
		}
	}
}

// TestCallsAreTold expects to hear of calls that never reach the router too.
func TestCallsAreTold(t *testing.T) {
	calls := make(chan server.CallEvent, 16)
	s := serve(t, 1, 1, server.Config{Events: server.Events{Call: func(e server.CallEvent) { calls <- e }}})
	conn := s.raw(t)
	locator := cairnv1.NewLocatorClient(conn)
	expect := func(method string, code codes.Code) {
		t.Helper()
		select {
		case e := <-calls:
			if e.Method != method || e.Code != code {
				t.Errorf("told of %+v; want %s, %s", e, method, code)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("not told of %s, %s", method, code)
		}
	}
	_, _ = locator.Locate(timeout(t), &cairnv1.LocateRequest{Keyspace: "keyspaces/" + bed.Things, Key: []byte("k")})
	expect("Locator/Locate", codes.OK)
	_, _ = locator.Locate(timeout(t), &cairnv1.LocateRequest{Keyspace: "things"})
	expect("Locator/Locate", codes.InvalidArgument)
	_, _ = cairnv1.NewWriterClient(conn).Put(timeout(t), &cairnv1.PutRequest{Keyspace: strings.Repeat("k", 2<<20)})
	expect("Writer/Put", codes.ResourceExhausted)
	watch, err := cairnv1.NewChangesClient(conn).Watch(timeout(t), &cairnv1.WatchRequest{Keyspace: "things"})
	_ = firstOf(watch, err)
	expect("Changes/Watch", codes.InvalidArgument)
	ctx, cancel := context.WithCancel(timeout(t))
	stream, err := locator.StreamLocate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, keyspace := range []string{"things", "keyspaces/" + bed.Things} {
		if err := stream.Send(&cairnv1.StreamLocateRequest{Batch: &cairnv1.BatchLocateRequest{Keyspace: keyspace, Keys: [][]byte{{1}}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	expect("Locator/StreamLocate", codes.InvalidArgument)
	expect("Locator/StreamLocate", codes.OK)
	cancel()
	expect("Locator/StreamLocate", codes.Canceled)
}

// TestTokensFromElsewhereAreExplained reads by a token of a map that there is
// not, as of another deployment.
func TestTokensFromElsewhereAreExplained(t *testing.T) {
	s := serve(t, 1, 1, server.Config{})
	foreign := cairn.Token{}.With(7, cairn.Stamp{Epoch: 1 << 40, Index: 9})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	read := cairn.Reading{Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: foreign}}
	_, _, err := s.router.Locate(ctx, bed.Things, cairn.Key("k"), read)
	e := rpcerr.FromError(err)
	if e.Kind != cairn.KindNotYet || e.Reason != "TOKEN_AHEAD" || e.Field != "token" || !strings.Contains(e.Error(), "1099511627776") {
		t.Errorf("got %+v", e)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err := s.router.Locate(gone, bed.Things, cairn.Key("k"), read); rpcerr.FromError(err).Reason != "CANCELLED" {
		t.Errorf("cancelled: %v", err)
	}
}
