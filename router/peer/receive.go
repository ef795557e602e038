package peer

import (
	"errors"
	"io"

	"google.golang.org/grpc"

	"cairn/proto/rpcerr"
)

// receive calls each with every message of an index server's stream, to the end
// of it. It fails with the server's error, and with that of each as it is.
func receive[M any](address string, stream grpc.ServerStreamingClient[M], each func(*M) error) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return rpcerr.From(address, err)
		}
		if err := each(message); err != nil {
			return err
		}
	}
}
