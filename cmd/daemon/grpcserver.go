package daemon

import (
	"math"

	"google.golang.org/grpc"

	"cairn/proto/channel"
)

// maxHeaderBytes bounds what a caller may send before its message: metadata
// and, over HTTP, headers.
const maxHeaderBytes = 64 << 10

// newGRPCServer makes a gRPC server with the options that every server of
// Cairn has; more may add to them.
func newGRPCServer(more ...grpc.ServerOption) *grpc.Server {
	options := append(channel.ServerOptions(),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		// Calls under way on one connection; further ones wait at the client.
		grpc.MaxConcurrentStreams(10_000),
		// What a call's goroutine costs is mostly the growth of its stack.
		// Workers that are used again save a fifth of a unary call's CPU,
		// measured with as many workers as callers; calls beyond them get a
		// goroutine each, as they would without.
		grpc.NumStreamWorkers(128),
		// How much a service sends is bounded where it makes its answers.
		grpc.MaxSendMsgSize(math.MaxInt32),
	)
	return grpc.NewServer(append(options, more...)...)
}
