package daemon

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

// exhausted is a listener that at first has no file descriptors left.
type exhausted struct {
	net.Listener
	failures int
}

func (e *exhausted) Accept() (net.Conn, error) {
	if e.failures > 0 {
		e.failures--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return e.Listener.Accept()
}

func TestHandoverOutlivesWantOfFileDescriptors(t *testing.T) {
	listener, err := listen("listen", anyPort, false)
	if err != nil {
		t.Fatal(err)
	}
	h := newHandover(&exhausted{listener, 3})
	defer h.close()
	client, err := net.Dial("tcp", h.address())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := h.next().Accept()
	if err != nil {
		t.Fatalf("%v; want the connection", err)
	}
	conn.Close()
}

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
