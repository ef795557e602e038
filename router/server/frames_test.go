package server

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// FuzzStreamRequest compares the decoder with the generated one.
func FuzzStreamRequest(f *testing.F) {
	for _, each := range []*cairnv1.StreamLocateRequest{
		{},
		{Id: 7, Batch: &cairnv1.BatchLocateRequest{Keyspace: "keyspaces/a", Keys: [][]byte{[]byte("k"), {}}, View: 2}},
		{Id: 1 << 40, Batch: &cairnv1.BatchLocateRequest{Freshness: &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: "x"}}}},
		{Id: 3, InParts: true, Timeout: &durationpb.Duration{Seconds: 1 << 40, Nanos: -5}},
		{Batch: &cairnv1.BatchLocateRequest{Freshness: &cairnv1.Freshness{Level: &cairnv1.Freshness_Linearizable_{Linearizable: &cairnv1.Freshness_Linearizable{}}}}},
	} {
		message, err := proto.Marshal(each)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
		f.Add(append(message, message...))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		var want cairnv1.StreamLocateRequest
		wantErr := proto.Unmarshal(message, &want)
		got := new(streamRequest)
		err := got.decode(mem.SliceBuffer(message))
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("got %v; want %v", err, wantErr)
		}
		if err != nil {
			return
		}
		read, readErr := reading(want.GetBatch().GetFreshness(), want.GetBatch().GetView(), want.GetBatch().GetChoice())
		if got.id != want.GetId() || got.keyspace != want.GetBatch().GetKeyspace() || len(got.keys) != len(want.GetBatch().GetKeys()) ||
			(got.err != nil) != (readErr != nil) || got.read.Freshness.Level != read.Freshness.Level || got.read.WithAttributes != read.WithAttributes {
			t.Fatalf("got %+v; want %+v", got, &want)
		}
		if got.inParts != want.GetInParts() || got.limited != (want.GetTimeout() != nil) || got.timeout.value() != want.GetTimeout().AsDuration() {
			t.Fatalf("got %+v; want %+v", got, &want)
		}
		for i, key := range want.GetBatch().GetKeys() {
			if !bytes.Equal(key, got.keys[i]) {
				t.Fatalf("key %d: got %x; want %x", i, got.keys[i], key)
			}
		}
	})
}

// TestStreamResponse compares the encoder with the generated one.
func TestStreamResponse(t *testing.T) {
	nodes := make([]*cairn.Node, 300)
	for i := range nodes {
		nodes[i] = &cairn.Node{Name: "n", Address: "a", Zone: "z"}
	}
	var locations []cairn.Location
	for i := range nodes {
		locations = append(locations,
			cairn.Location{State: cairn.Found, Cluster: "c", Primary: nodes[i]},
			cairn.Location{State: cairn.Found, Cluster: "c", Primary: nodes[i/2], Use: nodes[i], Epoch: 1 << (i % 64), Replicas: nodes[i : i+min(3, len(nodes)-i)]},
			cairn.Location{State: cairn.Found, Cluster: "c", Primary: nodes[i], Epoch: 7, Version: cairn.Version{Epoch: 1}, Attributes: cairn.NamedValues{{Name: "a", Value: cairn.Int(-1)}}},
			cairn.Location{State: cairn.Absent, Cluster: "c"},
			cairn.Location{Err: cairn.Errorf(cairn.KindUnavailable, "GONE", "gone")})
	}
	token := cairn.Token{}.With(1, cairn.Stamp{Epoch: 2, Index: 3})
	response := &streamResponse{id: 12345, positions: []int32{1, 300, 0}}
	if err := response.fill(locations, token); err != nil {
		t.Fatal(err)
	}
	buffers := response.buffers()
	defer buffers.Free()
	var got cairnv1.StreamLocateResponse
	if err := proto.Unmarshal(buffers.Materialize(), &got); err != nil {
		t.Fatal(err)
	}
	want := &cairnv1.StreamLocateResponse{Id: 12345, Positions: []uint32{1, 300, 0}, Result: &cairnv1.StreamLocateResponse_Batch{Batch: batchResponse(locations, token)}}
	if !proto.Equal(&got, want) {
		t.Errorf("got %v", &got)
	}
}

// TestEnumsAgree holds the enums that are converted by their numbers.
func TestEnumsAgree(t *testing.T) {
	for kind, name := range map[cairn.Type]string{
		cairn.TypeString: "STRING", cairn.TypeInt: "INT", cairn.TypeFloat: "FLOAT", cairn.TypeBool: "BOOL", cairn.TypeTimestamp: "TIMESTAMP",
	} {
		if got := cairnv1.Attribute_Type(kind).String(); got != name {
			t.Errorf("type %s is %s", kind, got)
		}
	}
	for state, name := range map[cairn.NodeState]string{cairn.NodeActive: "ACTIVE", cairn.NodeDraining: "DRAINING", cairn.NodeDown: "DOWN"} {
		if got := cairnv1.Node_State(state).String(); got != name {
			t.Errorf("state %s is %s", state, got)
		}
	}
}
