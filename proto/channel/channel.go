package channel

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// What either end may have sent that the other has not read, of one stream and of all
// of a connection together. gRPC would find these bounds out by itself, up to 16 MiB,
// and for that answers nearly every message with a ping: half of the system calls of
// those who wait for each other, and as many wakeups. Where an answer takes 100 ms, these
// let a stream carry 10 MB/s, and a connection 40.
const (
	streamWindow     = 1 << 20
	connectionWindow = 4 << 20
)

// Dial makes a connection to an address, as in "127.0.0.1:7600", without encryption
// unless more says otherwise. It does not connect: the first call does. It fails for an
// address that can't be one.
func Dial(address string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connectionWindow),
		// Whoever restarts is back within a second.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		// Finds out about one that is gone without a word, which a call without a
		// deadline would wait for.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
	}
	return grpc.NewClient("passthrough:///"+address, append(options, more...)...)
}

// ServerOptions are for who is connected to.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		// A peer that vanished without a farewell (power, network) holds its
		// streams no longer than this. Connections have no greatest age:
		// streams between routers and indexes are meant to live on.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// Clients may keep idle connections alive through middleboxes.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ConnectionTimeout(10 * time.Second),
	}
}
