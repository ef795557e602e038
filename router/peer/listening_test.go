package peer_test

import (
	"net"
	"testing"

	"cairn/router/peer"
)

// TestWhoListens looks at addresses where somebody does and nobody does any more.
func TestWhoListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var peers []*peer.Peer
	for _, each := range []net.Listener{gone, listener} {
		p, err := peer.Dial(each.Addr().String(), peer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		peers = append(peers, p)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	group := peer.NewGroup(peers, nil)
	if peers[0].Listening(t.Context()) || !peers[1].Listening(t.Context()) || !group.Listening(t.Context()) {
		t.Error("one of two listens")
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if peers[1].Listening(t.Context()) || group.Listening(t.Context()) {
		t.Error("nobody listens")
	}
}
