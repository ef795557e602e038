package stack

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// Wire is a way to a server on which what the server says is under way for a time,
// as over a network.
type Wire struct{ delay atomic.Int64 }

// Delay sets how long what comes from now on is under way.
func (w *Wire) Delay(d time.Duration) { w.delay.Store(int64(d)) }

// dial has connections go over the wire.
func (w *Wire) dial() grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		d := &delayed{Conn: conn, wire: w, arriving: make(chan arrival, 1024), closed: make(chan struct{})}
		go d.receive()
		return d, nil
	})
}

// delayed is a connection over a wire.
type delayed struct {
	net.Conn
	wire     *Wire
	arriving chan arrival
	closed   chan struct{}
	closing  atomic.Bool
	rest     []byte // of what has arrived
}

// arrival is what was received, and when it is there.
type arrival struct {
	data []byte
	err  error
	at   time.Time
}

// receive takes in what the server says, at once.
func (d *delayed) receive() {
	for {
		buffer := make([]byte, 16<<10)
		n, err := d.Conn.Read(buffer)
		select {
		case d.arriving <- arrival{buffer[:n], err, time.Now().Add(time.Duration(d.wire.delay.Load()))}:
		case <-d.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

func (d *delayed) Read(into []byte) (int, error) {
	if len(d.rest) == 0 {
		select {
		case next := <-d.arriving:
			time.Sleep(time.Until(next.at))
			if next.err != nil {
				return copy(into, next.data), next.err
			}
			d.rest = next.data
		case <-d.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(into, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *delayed) Close() error {
	if d.closing.CompareAndSwap(false, true) {
		close(d.closed)
	}
	return d.Conn.Close()
}
