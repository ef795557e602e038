package client_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"cairn"
	"cairn/router/client"
	"cairn/router/internal/bed"
)

// mute is a connection whose other end vanishes without a word once vanished is set.
type mute struct {
	net.Conn
	vanished atomic.Bool
	closing  sync.Once
	closed   chan struct{}
}

func (m *mute) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if m.vanished.Load() {
		<-m.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (m *mute) Write(b []byte) (int, error) {
	if m.vanished.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

func (m *mute) Close() error {
	m.closing.Do(func() { close(m.closed) })
	return m.Conn.Close()
}

// TestAWatchOutlivesARouterThatVanishes: nothing else than the connection's keepalive
// tells of that, since a watch has no deadline. It takes the 15 s that this takes.
func TestAWatchOutlivesARouterThatVanishes(t *testing.T) {
	t.Parallel()
	h := newHost(t, newBed(t))
	var first atomic.Pointer[mute]
	dialer := func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil || first.Load() != nil {
			return conn, err
		}
		m := &mute{Conn: conn, closed: make(chan struct{})}
		first.Store(m)
		return m, nil
	}
	watcher, err := client.Dial(h.address, client.Options{Timeout: time.Minute, Dial: []grpc.DialOption{grpc.WithContextDialer(dialer)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = watcher.Close() })
	writer := dial(t, h, time.Minute)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	enough := errors.New("enough")
	begun, done := make(chan struct{}), make(chan error, 1)
	go func() {
		isFirst := true
		done <- watcher.Watch(ctx, bed.Things, cairn.Token{}, func(changes cairn.Changes) error {
			if isFirst {
				close(begun)
				isFirst = false
			}
			if len(changes.Changes) > 0 {
				return enough
			}
			return nil
		})
	}()
	<-begun
	first.Load().vanished.Store(true)
	if err := putOne(writer, "k"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, enough) {
		t.Errorf("the change was not seen: %v", err)
	}
}
