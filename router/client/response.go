package client

import (
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that this one goes on with
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/wire"
)

// codec is gRPC's own for protobuf messages, and reads those that StreamLocate answers
// with by hand: without a message object for each key.
type codec struct{}

var protobuf = encoding.GetCodecV2("proto")

func (codec) Name() string { return protobuf.Name() }

func (codec) Marshal(v any) (mem.BufferSlice, error) { return protobuf.Marshal(v) }

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if response, ok := v.(*locateResponse); ok {
		return response.decode(data.Materialize())
	}
	return protobuf.Unmarshal(data, v)
}

// locateResponse is a StreamLocateResponse whose locations are still as they came.
type locateResponse struct {
	id        uint64
	positions []uint32
	failure   *statuspb.Status // nil if there is none
	locations [][]byte
	nodes     []*cairnv1.NodeRef
	token     string
}

// The fields of StreamLocateResponse, BatchLocateResponse and Location.
var (
	responseID        = wire.FieldOf(1, protowire.VarintType)
	responseBatch     = wire.FieldOf(2, protowire.BytesType)
	responseError     = wire.FieldOf(3, protowire.BytesType)
	responsePosition  = wire.FieldOf(4, protowire.VarintType)
	responsePositions = wire.FieldOf(4, protowire.BytesType) // packed

	batchLocation = wire.FieldOf(1, protowire.BytesType)
	batchNode     = wire.FieldOf(2, protowire.BytesType)
	batchToken    = wire.FieldOf(3, protowire.BytesType)

	locationState    = wire.FieldOf(1, protowire.VarintType)
	locationPrimary  = wire.FieldOf(2, protowire.VarintType)
	locationReplicas = wire.FieldOf(3, protowire.BytesType) // packed
	locationEpoch    = wire.FieldOf(7, protowire.VarintType)
)

// decode reads a message, and keeps it. What was in the response before is gone.
func (r *locateResponse) decode(message []byte) error {
	*r = locateResponse{positions: r.positions[:0], locations: r.locations[:0], nodes: r.nodes[:0]}
	return wire.EachField(message, func(field wire.Field, value uint64, bytes []byte) error {
		switch field {
		case responseID:
			r.id = value
		case responseBatch:
			return r.decodeBatch(bytes)
		case responseError:
			r.failure = new(statuspb.Status)
			return proto.Unmarshal(bytes, r.failure)
		case responsePosition:
			r.positions = append(r.positions, uint32(value))
		case responsePositions:
			return eachPacked(bytes, func(value uint64) { r.positions = append(r.positions, uint32(value)) })
		}
		return nil
	})
}

func (r *locateResponse) decodeBatch(batch []byte) error {
	return wire.EachField(batch, func(field wire.Field, _ uint64, bytes []byte) error {
		switch field {
		case batchLocation:
			r.locations = append(r.locations, bytes)
		case batchNode:
			node := new(cairnv1.NodeRef)
			r.nodes = append(r.nodes, node)
			return proto.Unmarshal(bytes, node)
		case batchToken:
			r.token = string(bytes)
		}
		return nil
	})
}

// eachPacked yields the numbers of a packed field.
func eachPacked(packed []byte, yield func(value uint64)) error {
	for len(packed) > 0 {
		value, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return protowire.ParseError(n)
		}
		yield(value)
		packed = packed[n:]
	}
	return nil
}

// decode reads a Location. One with a version, attributes or an error, of which there
// are few, takes a message object.
func (t *nodeTable) decode(message []byte) (cairn.Location, error) {
	var state, primary, epoch uint64
	var replicas []byte
	plain := true
	err := wire.EachField(message, func(field wire.Field, value uint64, bytes []byte) error {
		switch field {
		case locationState:
			state = value
		case locationPrimary:
			primary = value
		case locationReplicas:
			replicas = bytes
		case locationEpoch:
			epoch = value
		default:
			plain = false
		}
		return nil
	})
	if err != nil {
		return cairn.Location{}, broken(err)
	}
	if !plain || cairnv1.Location_State(state) != cairnv1.Location_FOUND {
		var full cairnv1.Location
		if err := proto.Unmarshal(message, &full); err != nil {
			return cairn.Location{}, broken(err)
		}
		return t.location(&full)
	}
	out := cairn.Location{State: cairn.Found, Epoch: epoch}
	if out.Primary, out.Cluster, err = t.at(uint32(primary)); err != nil || len(replicas) == 0 {
		return out, err
	}
	positions := make([]uint32, 0, cairn.MaxReplicas)
	if err := eachPacked(replicas, func(value uint64) { positions = append(positions, uint32(value)) }); err != nil {
		return cairn.Location{}, broken(err)
	}
	out.Replicas, err = t.all(positions)
	return out, err
}
