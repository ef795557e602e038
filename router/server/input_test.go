package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

func TestBadInput(t *testing.T) {
	s := serve(t, 1, 2, server.Config{})
	conn := s.raw(t)
	locator, writer, changes := cairnv1.NewLocatorClient(conn), cairnv1.NewWriterClient(conn), cairnv1.NewChangesClient(conn)
	const things = "keyspaces/" + bed.Things
	key := []byte("k")
	locate := func(req *cairnv1.LocateRequest) error {
		_, err := locator.Locate(timeout(t), req)
		return err
	}
	put := func(put *cairnv1.Put) error {
		_, err := writer.Put(timeout(t), &cairnv1.PutRequest{Keyspace: things, Put: put})
		return err
	}
	value := func(v *cairnv1.Value) error {
		return put(&cairnv1.Put{Key: key, Attributes: map[string]*cairnv1.Value{"weight": v}})
	}
	since := func(seconds int64, nanos int32) error {
		return put(&cairnv1.Put{Key: key, Attributes: map[string]*cairnv1.Value{
			"since": {Kind: &cairnv1.Value_TimestampValue{TimestampValue: &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos}}},
		}})
	}
	named := func(id *cairnv1.RequestId) error {
		_, err := writer.Put(timeout(t), &cairnv1.PutRequest{Keyspace: things, Put: &cairnv1.Put{Key: key}, RequestId: id})
		return err
	}
	keys := func(n, size int) [][]byte {
		out := make([][]byte, n)
		for i := range out {
			out[i] = bytes.Repeat([]byte{'k'}, size)
		}
		return out
	}
	for name, each := range map[string]struct {
		err    error
		code   codes.Code
		reason string
		field  string
	}{
		"no keyspace":         {locate(&cairnv1.LocateRequest{Key: key}), codes.InvalidArgument, "RESOURCE_NAME", "keyspace"},
		"bare keyspace":       {locate(&cairnv1.LocateRequest{Keyspace: bed.Things, Key: key}), codes.InvalidArgument, "RESOURCE_NAME", "keyspace"},
		"unknown keyspace":    {locate(&cairnv1.LocateRequest{Keyspace: "keyspaces/nothing", Key: key}), codes.NotFound, "KEYSPACE_NOT_FOUND", "keyspace"},
		"empty key":           {locate(&cairnv1.LocateRequest{Keyspace: things}), codes.InvalidArgument, "KEY_EMPTY", "key"},
		"long key":            {locate(&cairnv1.LocateRequest{Keyspace: things, Key: keys(1, 1025)[0]}), codes.InvalidArgument, "KEY_TOO_LONG", "key"},
		"unknown view":        {locate(&cairnv1.LocateRequest{Keyspace: things, Key: key, View: 9}), codes.InvalidArgument, "VIEW_UNKNOWN", "view"},
		"broken token":        {locate(&cairnv1.LocateRequest{Keyspace: things, Key: key, Freshness: &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: "x"}}}), codes.InvalidArgument, "TOKEN_MALFORMED", "freshness.at_least"},
		"no put":              {put(nil), codes.InvalidArgument, "PUT_MISSING", "put"},
		"value without case":  {value(&cairnv1.Value{}), codes.InvalidArgument, "VALUE_MISSING", "attributes.weight"},
		"NaN":                 {value(&cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: nan()}}), codes.InvalidArgument, "FLOAT_NOT_FINITE", "attributes.weight"},
		"wrong type":          {value(&cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: 1}}), codes.InvalidArgument, "VALUE_TYPE", "attributes.weight"},
		"long string":         {value(&cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: strings.Repeat("x", 4097)}}), codes.InvalidArgument, "STRING_TOO_LONG", "attributes.weight"},
		"null":                {value(&cairnv1.Value{Kind: &cairnv1.Value_NullValue{}}), codes.InvalidArgument, "VALUE_NULL", "attributes.weight"},
		"if_absent is false":  {second(writer.Put(timeout(t), &cairnv1.PutRequest{Keyspace: things, Put: &cairnv1.Put{Key: key}, Condition: &cairnv1.Condition{Condition: &cairnv1.Condition_IfAbsent{}}})), codes.InvalidArgument, "CONDITION_FALSE", "condition.if_absent"},
		"empty batch":         {second(locator.BatchLocate(timeout(t), &cairnv1.BatchLocateRequest{Keyspace: things})), codes.InvalidArgument, "BATCH_EMPTY", "keys"},
		"10,001 keys":         {second(locator.BatchLocate(timeout(t), &cairnv1.BatchLocateRequest{Keyspace: things, Keys: keys(10_001, 2)})), codes.InvalidArgument, "BATCH_TOO_LARGE", "keys"},
		"large message":       {second(locator.BatchLocate(timeout(t), &cairnv1.BatchLocateRequest{Keyspace: things, Keys: keys(10_000, 1024)})), codes.ResourceExhausted, "MESSAGE_TOO_LARGE", ""},
		"one bad key":         {second(locator.BatchLocate(timeout(t), &cairnv1.BatchLocateRequest{Keyspace: things, Keys: keys(1, 0)})), codes.InvalidArgument, "KEY_EMPTY", "keys[0]"},
		"unknown attribute":   {put(&cairnv1.Put{Key: key, Attributes: map[string]*cairnv1.Value{"no": {Kind: &cairnv1.Value_BoolValue{}}}}), codes.InvalidArgument, "ATTRIBUTE_UNKNOWN", "attributes.no"},
		"year 10000":          {since(253402300800, 0), codes.InvalidArgument, "TIMESTAMP_OUT_OF_RANGE", "attributes.since"},
		"year 0":              {since(-62135596801, 0), codes.InvalidArgument, "TIMESTAMP_OUT_OF_RANGE", "attributes.since"},
		"too many nanos":      {since(0, 1_000_000_000), codes.InvalidArgument, "TIMESTAMP_OUT_OF_RANGE", "attributes.since"},
		"infinity":            {value(&cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: math.Inf(-1)}}), codes.InvalidArgument, "FLOAT_NOT_FINITE", "attributes.weight"},
		"put of an empty key": {put(&cairnv1.Put{}), codes.InvalidArgument, "KEY_EMPTY", "key"},
		"put of a long key":   {put(&cairnv1.Put{Key: keys(1, 1025)[0]}), codes.InvalidArgument, "KEY_TOO_LONG", "key"},
		"delete a long key":   {second(writer.Delete(timeout(t), &cairnv1.DeleteRequest{Keyspace: things, Key: keys(1, 1025)[0]})), codes.InvalidArgument, "KEY_TOO_LONG", "key"},
		"explain a long key":  {second(locator.ExplainKey(timeout(t), &cairnv1.ExplainKeyRequest{Keyspace: things, Key: keys(1, 1025)[0]})), codes.InvalidArgument, "KEY_TOO_LONG", "key"},
		"unknown node":        {put(&cairnv1.Put{Key: key, Node: "nobody"}), codes.InvalidArgument, "NODE_UNKNOWN", "node"},
		"replicas alone":      {put(&cairnv1.Put{Key: key, Replicas: []string{"a"}}), codes.InvalidArgument, "REPLICAS_WITHOUT_NODE", "replicas"},
		"10,001 writes":       {second(writer.BatchWrite(timeout(t), &cairnv1.BatchWriteRequest{Keyspace: things, Writes: make([]*cairnv1.Write, 10_001)})), codes.InvalidArgument, "BATCH_TOO_LARGE", "writes"},
		"list of a shard":     {second(locator.ListEntries(timeout(t), &cairnv1.ListEntriesRequest{Parent: things + "/shards/1"})), codes.InvalidArgument, "RESOURCE_NAME", "parent"},
		"long start":          {second(locator.ListEntries(timeout(t), &cairnv1.ListEntriesRequest{Parent: things, StartKey: keys(1, 1025)[0]})), codes.InvalidArgument, "KEY_TOO_LONG", "start_key"},
		"page size":           {second(locator.ListEntries(timeout(t), &cairnv1.ListEntriesRequest{Parent: things, PageSize: 10_001})), codes.InvalidArgument, "PAGE_SIZE", "page_size"},
		"negative page size":  {second(locator.ListEntries(timeout(t), &cairnv1.ListEntriesRequest{Parent: things, PageSize: -1})), codes.InvalidArgument, "PAGE_SIZE", "page_size"},
		"page token":          {second(locator.ListEntries(timeout(t), &cairnv1.ListEntriesRequest{Parent: things, PageToken: "x"})), codes.InvalidArgument, "PAGE_TOKEN_MALFORMED", "page_token"},
		"reversed range":      {second(locator.ListEntries(timeout(t), &cairnv1.ListEntriesRequest{Parent: things, StartKey: []byte("b"), EndKey: []byte("a")})), codes.InvalidArgument, "RANGE_REVERSED", "end_key"},
		"watch token":         {firstOf(changes.Watch(timeout(t), &cairnv1.WatchRequest{Keyspace: things, From: "x"})), codes.InvalidArgument, "TOKEN_MALFORMED", "from"},
		"watch of no space":   {firstOf(changes.Watch(timeout(t), &cairnv1.WatchRequest{Keyspace: "keyspaces/nothing"})), codes.NotFound, "KEYSPACE_NOT_FOUND", "keyspace"},
		"empty batch of puts": {second(writer.BatchWrite(timeout(t), &cairnv1.BatchWriteRequest{Keyspace: things})), codes.InvalidArgument, "BATCH_EMPTY", "writes"},
		"short request id":    {named(&cairnv1.RequestId{Id: make([]byte, 15)}), codes.InvalidArgument, "REQUEST_ID_LENGTH", "request_id.id"},
		"request id of zeros": {named(&cairnv1.RequestId{Id: make([]byte, 16), IssueTime: timestamppb.Now()}), codes.InvalidArgument, "REQUEST_ID_ZERO", "request_id.id"},
		"request without time": {second(writer.Delete(timeout(t), &cairnv1.DeleteRequest{Keyspace: things, Key: key, RequestId: &cairnv1.RequestId{Id: bytes.Repeat(key, 16)}})),
			codes.InvalidArgument, "ISSUE_TIME_MISSING", "request_id.issue_time"},
		"batch of the year 0": {second(writer.BatchWrite(timeout(t), &cairnv1.BatchWriteRequest{
			Keyspace: things, Writes: make([]*cairnv1.Write, 1),
			RequestId: &cairnv1.RequestId{Id: bytes.Repeat(key, 16), IssueTime: &timestamppb.Timestamp{Seconds: -62135596801}},
		})), codes.InvalidArgument, "ISSUE_TIME_MISSING", "request_id.issue_time"},
	} {
		typed := rpcerr.FromError(each.err)
		if name != "large message" {
			hasDetails(t, name, status.Convert(each.err), each.code, each.reason)
		}
		if status.Code(each.err) != each.code || typed == nil || typed.Reason != each.reason || typed.Field != each.field {
			t.Errorf("%s: got %v (%+v); want %s, %s, field %q", name, each.err, typed, each.code, each.reason, each.field)
		}
	}
}

func nan() float64 {
	var zero float64
	return zero / zero
}

func second[T any](_ T, err error) error { return err }

func firstOf(stream interface {
	Recv() (*cairnv1.WatchResponse, error)
}, err error) error {
	if err == nil {
		_, err = stream.Recv()
	}
	return err
}

// TestWritesAreNumberedAsSent has writes that can't be read before one that
// the router refuses.
func TestWritesAreNumberedAsSent(t *testing.T) {
	s := serve(t, 1, 1, server.Config{})
	resp, err := cairnv1.NewWriterClient(s.raw(t)).BatchWrite(timeout(t), &cairnv1.BatchWriteRequest{
		Keyspace: "keyspaces/" + bed.Things,
		Writes: []*cairnv1.Write{
			{}, {Operation: &cairnv1.Write_Delete{Delete: []byte("k")}}, {Operation: &cairnv1.Write_Put{Put: &cairnv1.Put{}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, result := range resp.GetResults() {
		field := ""
		if result.GetError() != nil {
			field = rpcerr.FromProto(result.GetError()).Field
		}
		fields = append(fields, field)
	}
	if got := fmt.Sprint(fields); got != "[writes[0].operation  writes[2].key]" {
		t.Error(got)
	}
}

// TestStreamSurvivesBadBatches mixes batches that fail with one that does not.
func TestStreamSurvivesBadBatches(t *testing.T) {
	s := serve(t, 1, 1, server.Config{})
	stream, err := cairnv1.NewLocatorClient(s.raw(t)).StreamLocate(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	batches := []*cairnv1.BatchLocateRequest{
		nil,
		{Keyspace: "things", Keys: [][]byte{{1}}},
		{Keyspace: "keyspaces/things", Keys: [][]byte{{1}}, View: 7},
		{Keyspace: "keyspaces/things", Keys: [][]byte{{1}, {}}},
	}
	for i, batch := range batches {
		if err := stream.Send(&cairnv1.StreamLocateRequest{Id: uint64(i), Batch: batch}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	results := map[uint64]string{}
	for {
		resp, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetError() != nil {
			results[resp.GetId()] = rpcerr.FromProto(resp.GetError()).Reason
			continue
		}
		for _, location := range resp.GetBatch().GetLocations() {
			results[resp.GetId()] += location.GetState().String() + " "
		}
	}
	if got := fmt.Sprint(results); got != "map[0:RESOURCE_NAME 1:RESOURCE_NAME 2:VIEW_UNKNOWN 3:NOT_FOUND ERROR ]" {
		t.Error(got)
	}
	// A message that gRPC refuses to read ends the stream.
	stream, err = cairnv1.NewLocatorClient(s.raw(t)).StreamLocate(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	large := &cairnv1.BatchLocateRequest{Keyspace: "keyspaces/things", Keys: [][]byte{make([]byte, 5<<20)}}
	if err := stream.Send(&cairnv1.StreamLocateRequest{Batch: large}); err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); rpcerr.FromError(err).Reason != "MESSAGE_TOO_LARGE" {
		t.Error(err)
	}
}

// stranger refuses every caller, or panics.
type stranger struct{ panics bool }

func (s stranger) Authenticate(context.Context) (server.Caller, error) {
	if s.panics {
		panic("out of order")
	}
	return nil, cairn.Errorf(cairn.KindPrecondition, "STRANGER", "who are you?")
}

func TestCallersAreAuthenticated(t *testing.T) {
	s := serve(t, 1, 1, server.Config{Authenticator: stranger{}})
	_, err := cairnv1.NewLocatorClient(s.raw(t)).Locate(timeout(t), &cairnv1.LocateRequest{})
	if rpcerr.FromError(err).Reason != "STRANGER" {
		t.Error(err)
	}
}

func TestPanicsAreInternalErrors(t *testing.T) {
	var log bytes.Buffer
	s := serve(t, 1, 1, server.Config{Authenticator: stranger{panics: true}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := cairnv1.NewLocatorClient(s.raw(t)).Locate(timeout(t), &cairnv1.LocateRequest{})
	if status.Code(err) != codes.Internal || rpcerr.FromError(err).Reason != "PANIC" {
		t.Error(err)
	}
	s.grpc.Stop()
	if !strings.Contains(log.String(), "out of order") || !strings.Contains(log.String(), "input_test.go") {
		t.Errorf("the log has no stack: %s", log.String())
	}
}
