package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"cairn/router"
	"cairn/router/client"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is a router over a bed, behind a real socket.
type served struct {
	bed      *bed.Bed
	topology *bed.Topology
	router   *router.Router
	address  string
	grpc     *grpc.Server
}

func serve(t testing.TB, clusters, shards int, config server.Config) *served {
	t.Helper()
	return serveCached(t, clusters, shards, router.CacheConfig{}, config)
}

// serveCached is serve with a cache of locations.
func serveCached(t testing.TB, clusters, shards int, cache router.CacheConfig, config server.Config) *served {
	t.Helper()
	b, err := bed.New(clusters, shards)
	if err != nil {
		t.Fatal(err)
	}
	topology := b.Topology()
	r, err := router.New(router.Config{Topology: topology, Dial: b.Dial, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	config.Router = r
	if config.Log == nil {
		config.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &served{bed: b, topology: topology, router: r, address: listener.Addr().String(), grpc: s.GRPC()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = out.grpc.Serve(listener) // ends with Stop
	}()
	t.Cleanup(func() {
		out.grpc.Stop()
		<-done
	})
	return out
}

func (s *served) client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.Dial(s.address, client.Options{Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// raw is a connection for stubs as any language has them.
func (s *served) raw(t testing.TB) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
