package server

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that this one goes on with
	"google.golang.org/grpc/mem"
)

// codec is gRPC's own for protobuf messages, and reads and writes those of
// StreamLocate by hand: they are the same bytes, without a message object for
// each key.
type codec struct{}

var protobuf = encoding.GetCodecV2("proto")

func (codec) Name() string { return protobuf.Name() }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if response, ok := v.(*streamResponse); ok {
		return response.buffers(), nil
	}
	return protobuf.Marshal(v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if request, ok := v.(*streamRequest); ok {
		return request.decode(data.MaterializeToBuffer(mem.DefaultBufferPool()))
	}
	return protobuf.Unmarshal(data, v)
}
