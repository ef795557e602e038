package etcdstore_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// proxy forwards to etcd while it is not cut. While it is mute, etcd hears but
// is not heard.
type proxy struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	cut      bool
	open     map[net.Conn]bool
	mute     atomic.Bool
}

func newProxy(t testing.TB, target string) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, open: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", target)
			p.mu.Lock()
			if err != nil || p.cut {
				p.mu.Unlock()
				_ = from.Close()
				if err == nil {
					_ = to.Close()
				}
				continue
			}
			p.open[from], p.open[to] = true, true
			p.mu.Unlock()
			all.Go(func() { pipe(from, to, nil) })
			all.Go(func() { pipe(to, from, &p.mute) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.setCut(true)
		all.Wait()
	})
	return p
}

func pipe(from, to net.Conn, mute *atomic.Bool) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err == nil && mute != nil && mute.Load() {
			continue
		}
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *proxy) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.open {
			_ = c.Close()
		}
		p.open = map[net.Conn]bool{}
	}
}

func (p *proxy) client(t testing.TB) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{p.listener.Addr().String()}, Logger: zap.NewNop(), DialKeepAliveTime: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
