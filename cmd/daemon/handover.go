package daemon

import (
	"errors"
	"net"
	"sync"
	"time"
)

// handover is a listener that one server after another may serve: closing it,
// as every server does at its end, only ends that server's turn. A connection
// that arrives in between waits for the next turn.
type handover struct {
	listener net.Listener
	arrived  chan net.Conn
	done     chan struct{} // closed when the listener has ended
	err      error         // why; valid once done is closed
	closing  chan struct{}
	close    func()
}

// newHandover takes a listener over. Close the handover.
func newHandover(listener net.Listener) *handover {
	h := &handover{listener: listener, arrived: make(chan net.Conn), done: make(chan struct{}), closing: make(chan struct{})}
	h.close = sync.OnceFunc(func() {
		close(h.closing)
		h.listener.Close()
		<-h.done
	})
	go h.accept()
	return h
}

func (h *handover) accept() {
	defer close(h.done)
	for {
		conn, err := h.listener.Accept()
		if isTemporary(err) {
			// As when the process has no file descriptors left: connections wait
			// in the kernel until some have been closed.
			select {
			case <-time.After(acceptPause):
				continue
			case <-h.closing:
			}
		}
		if err != nil {
			h.err = err
			return
		}
		select {
		case h.arrived <- conn:
		case <-h.closing:
			conn.Close()
		}
	}
}

// acceptPause is how long to wait after a failure to accept that passes.
const acceptPause = 20 * time.Millisecond

// isTemporary tells whether a listener that failed to accept may accept later.
func isTemporary(err error) bool {
	failure, ok := errors.AsType[*net.OpError](err)
	return ok && failure.Temporary()
}

// address is where the listener listens.
func (h *handover) address() string { return h.listener.Addr().String() }

// turn is one server's turn at a handover, as a net.Listener.
type turn struct {
	of    *handover
	ended chan struct{}
	end   func()
}

// next begins a turn. The one before it should have been closed.
func (h *handover) next() *turn {
	t := &turn{of: h, ended: make(chan struct{})}
	t.end = sync.OnceFunc(func() { close(t.ended) })
	return t
}

// Accept returns net.ErrClosed once the turn has been closed, and the
// listener's error once that has ended.
func (t *turn) Accept() (net.Conn, error) {
	select {
	case <-t.ended:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-t.of.arrived:
		return conn, nil
	case <-t.ended:
		return nil, net.ErrClosed
	case <-t.of.done:
		return nil, t.of.err
	}
}

// Close ends the turn.
func (t *turn) Close() error {
	t.end()
	return nil
}

// Addr is the listener's.
func (t *turn) Addr() net.Addr { return t.of.listener.Addr() }
