package etcdtest

import (
	"net/url"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// startWait bounds how long a server may take to elect itself.
const startWait = 20 * time.Second

// Server is an etcd server that can be stopped and started again.
type Server struct {
	t       testing.TB
	dir     string
	client  url.URL
	peer    url.URL
	running *embed.Etcd
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), client: url.URL{Scheme: "http", Host: "127.0.0.1:0"}, peer: url.URL{Scheme: "http", Host: "127.0.0.1:0"}}
	s.Restart()
	t.Cleanup(s.Stop)
	return s
}

// Restart starts the server on its data and address. It must be stopped.
func (s *Server) Restart() {
	s.t.Helper()
	config := embed.NewConfig()
	config.Dir = s.dir
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{s.client}, []url.URL{s.client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{s.peer}, []url.URL{s.peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	config.TickMs, config.ElectionMs = 10, 100
	// The tests do not cut the power.
	config.UnsafeNoFsync = true
	running, err := embed.StartEtcd(config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.running = running
	select {
	case <-running.Server.ReadyNotify():
	case <-time.After(startWait):
		s.t.Fatal("etcd did not start")
	}
	s.client.Host = running.Clients[0].Addr().String()
	s.peer.Host = running.Peers[0].Addr().String()
}

// Stop stops the server, if it runs.
func (s *Server) Stop() {
	if s.running != nil {
		s.running.Close()
		s.running = nil
	}
}

// Endpoint is where clients reach the server, the same after a Restart.
func (s *Server) Endpoint() string { return s.client.Host }

// Client makes a client, which is closed with the test.
func (s *Server) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Endpoint()}, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
