package daemon

import (
	"errors"
	"io"
	"net"
	"testing"
)

func TestHandover(t *testing.T) {
	listener, err := listen("listen", anyPort, false)
	if err != nil {
		t.Fatal(err)
	}
	h := newHandover(listener)
	first := h.next()
	first.Close()
	if _, err := first.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the turn: %v; want net.ErrClosed", err)
	}

	// Whoever connects between two turns is there in the second.
	client, err := net.Dial("tcp", h.address())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	second := h.next()
	conn, err := second.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if conn.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("a connection of %v; want %v's", conn.RemoteAddr(), client.LocalAddr())
	}
	conn.Close()

	late, err := net.Dial("tcp", h.address())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	h.close()
	if _, err := second.Accept(); err == nil {
		t.Error("a closed handover accepted")
	}
	if _, err := late.Read(make([]byte, 1)); err == nil || errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a connection that nobody took: %v; want it closed", err)
	}
}
