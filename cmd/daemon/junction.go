package daemon

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"cairn"
)

// junction is a listener that gRPC and the replicas of an index share. A
// replica's connection begins with replicaMark, which no gRPC connection does,
// and with its cluster's uid; Accept returns the others.
type junction struct {
	net.Listener
	log *slog.Logger

	others  chan accepted
	closing chan struct{}
	group   sync.WaitGroup
	close   func() error

	mu       sync.Mutex // guards replicas
	replicas *replicaListener
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

const (
	// replicaMark is not what HTTP begins with, nor TLS.
	replicaMark = 0xca
	// greeting is how long a connection may take to say what it is.
	greeting = 10 * time.Second
)

// newJunction takes a listener over. Close the junction.
func newJunction(listener net.Listener, log *slog.Logger) *junction {
	j := &junction{Listener: listener, log: log, others: make(chan accepted), closing: make(chan struct{})}
	j.close = sync.OnceValue(func() error {
		close(j.closing)
		err := j.Listener.Close()
		j.group.Wait()
		return err
	})
	j.group.Go(j.accept)
	return j
}

func (j *junction) accept() {
	for {
		conn, err := j.Listener.Accept()
		if err == nil {
			j.group.Go(func() { j.sort(conn) })
			continue
		}
		if !j.hand(accepted{err: err}) || !isTemporary(err) {
			return
		}
	}
}

// hand has Accept return something, if the junction is open.
func (j *junction) hand(a accepted) bool {
	select {
	case j.others <- a:
		return true
	case <-j.closing:
		return false
	}
}

// sort finds out what a connection is.
func (j *junction) sort(conn net.Conn) {
	var head [9]byte
	if !j.greet(conn, head[:1]) {
		_ = conn.Close() // it said nothing that matters
		return
	}
	if head[0] != replicaMark {
		if !j.hand(accepted{conn: &begunConn{Conn: conn, begun: head[:1:1]}}) {
			_ = conn.Close() // no server will answer it
		}
		return
	}
	if j.greet(conn, head[1:]) {
		j.mu.Lock()
		replicas := j.replicas
		j.mu.Unlock()
		if replicas != nil && replicas.take(conn, cairn.UID(binary.BigEndian.Uint64(head[1:]))) {
			return
		}
	}
	_ = conn.Close() // the other replica tries again
}

// greet reads the beginning of a connection, in time and while the junction is
// open.
func (j *junction) greet(conn net.Conn, into []byte) bool {
	read := make(chan bool, 1)
	go func() {
		_, err := io.ReadFull(conn, into)
		read <- err == nil
	}()
	late := time.NewTimer(greeting)
	defer late.Stop()
	select {
	case whole := <-read:
		return whole
	case <-late.C:
	case <-j.closing:
	}
	_ = conn.Close() // ends the reading
	<-read
	return false
}

// Accept returns the next connection that is not a replica's.
func (j *junction) Accept() (net.Conn, error) {
	select {
	case a := <-j.others:
		return a.conn, a.err
	case <-j.closing:
		return nil, net.ErrClosed
	}
}

// Close closes the listener.
func (j *junction) Close() error { return j.close() }

// begunConn is a connection of which something was read.
type begunConn struct {
	net.Conn
	begun []byte
}

func (c *begunConn) Read(into []byte) (int, error) {
	if len(c.begun) == 0 {
		return c.Conn.Read(into)
	}
	n := copy(into, c.begun)
	c.begun = c.begun[n:]
	return n, nil
}
