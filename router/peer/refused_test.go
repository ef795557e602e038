package peer_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"cairn"
	"cairn/router/peer"
)

// TestRefusedConnections can be told from other failures, on a stream and off.
func TestRefusedConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := peer.Dial(listener.Addr().String(), peer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	_, asked := p.AskView(t.Context(), &cairn.ViewRequest{Asked: cairn.AskCount})
	_, status := p.Status(t.Context(), 0)
	for name, err := range map[string]error{"a question": asked, "a status": status} {
		if !errors.Is(err, syscall.ECONNREFUSED) || cairn.KindOf(err) != cairn.KindUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
