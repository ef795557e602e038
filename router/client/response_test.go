package client

import (
	"reflect"
	"testing"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// TestResponsesAreReadAsMessagesAre reads any answer by hand and as a message.
func TestResponsesAreReadAsMessagesAre(t *testing.T) {
	var got locateResponse // is used again and again
	rapid.Check(t, func(t *rapid.T) {
		sent := drawResponse(t)
		bytes, err := proto.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.decode(bytes); err != nil {
			t.Fatal(err)
		}
		if got.id != sent.GetId() || len(got.positions) != len(sent.GetPositions()) || got.token != sent.GetBatch().GetToken() || !proto.Equal(got.failure, sent.GetError()) {
			t.Fatalf("%+v of %v", got, sent)
		}
		for i, position := range sent.GetPositions() {
			if got.positions[i] != position {
				t.Fatalf("positions %v of %v", got.positions, sent.GetPositions())
			}
		}
		nodes, want := tableOf(got.nodes), tableOf(sent.GetBatch().GetNodes())
		if !reflect.DeepEqual(nodes, want) || len(got.locations) != len(sent.GetBatch().GetLocations()) {
			t.Fatalf("nodes %v and %d locations of %v", nodes, len(got.locations), sent)
		}
		for i, location := range sent.GetBatch().GetLocations() {
			byHand, errByHand := nodes.decode(got.locations[i])
			asMessage, err := want.location(location)
			if (err == nil) != (errByHand == nil) || cairn.ReasonOf(err) != cairn.ReasonOf(errByHand) || err == nil && !reflect.DeepEqual(byHand, asMessage) {
				t.Fatalf("%+v, %v; want %+v, %v", byHand, errByHand, asMessage, err)
			}
		}
	})
}

func drawResponse(t *rapid.T) *cairnv1.StreamLocateResponse {
	out := &cairnv1.StreamLocateResponse{
		Id:        rapid.Uint64().Draw(t, "id"),
		Positions: rapid.SliceOfN(rapid.Uint32(), 0, 3).Draw(t, "positions"),
	}
	if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
		out.Result = &cairnv1.StreamLocateResponse_Error{Error: &statuspb.Status{Code: 14, Message: rapid.String().Draw(t, "message")}}
		return out
	}
	batch := &cairnv1.BatchLocateResponse{Token: rapid.String().Draw(t, "token")}
	for range rapid.IntRange(0, 3).Draw(t, "nodes") {
		batch.Nodes = append(batch.Nodes, &cairnv1.NodeRef{Cluster: "c", Node: rapid.String().Draw(t, "node"), Address: "a:1"})
	}
	node := rapid.Uint32Range(0, 3) // of which some may not be there
	for range rapid.IntRange(0, 4).Draw(t, "locations") {
		location := &cairnv1.Location{State: cairnv1.Location_State(rapid.Int32Range(0, 4).Draw(t, "state"))}
		if location.GetState() == cairnv1.Location_FOUND {
			location.Primary, location.Replicas = node.Draw(t, "primary"), rapid.SliceOfN(node, 0, 2).Draw(t, "replicas")
			location.Epoch = rapid.Uint64().Draw(t, "epoch")
			if rapid.Bool().Draw(t, "full") {
				location.Version = &cairnv1.Version{Epoch: 3, Index: rapid.Uint64().Draw(t, "index")}
				location.Attributes = map[string]*cairnv1.Value{"n": {Kind: &cairnv1.Value_IntValue{IntValue: 5}}}
			}
		}
		batch.Locations = append(batch.Locations, location)
	}
	out.Result = &cairnv1.StreamLocateResponse_Batch{Batch: batch}
	return out
}

// TestGarbageIsNoResponse reads anything, which must end.
func TestGarbageIsNoResponse(t *testing.T) {
	var r locateResponse
	rapid.Check(t, func(t *rapid.T) {
		garbage := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		_ = r.decode(garbage)
		nodes := tableOf(r.nodes)
		_, _ = nodes.decode(garbage)
		if err, asMessage := r.decode(garbage), proto.Unmarshal(garbage, new(cairnv1.StreamLocateResponse)); asMessage == nil && err != nil {
			t.Fatalf("%x is a message and refused: %v", garbage, err)
		}
	})
}
