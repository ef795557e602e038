package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Listener takes TLS connections of who shows a certificate to trust. Who does not is
// told to the log, once a minute, and closed; closing it closes what it listens with.
func (t *Transport) Listener(listener net.Listener, log *slog.Logger) net.Listener {
	if t == nil {
		return listener
	}
	return &guarded{Listener: listener, config: t.server, log: log, began: time.Now()}
}

// patience is how long a handshake may take.
const patience = 10 * time.Second

type guarded struct {
	net.Listener
	config *tls.Config
	log    *slog.Logger
	began  time.Time
	quiet  atomic.Int64 // until when nothing is told, since began
}

// Accept returns a connection that shakes hands when it is first read from or written to:
// one that is slow holds nobody else up.
func (g *guarded) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &shaken{Conn: tls.Server(conn, g.config), by: g}, nil
}

// tell logs why a connection was refused.
func (g *guarded) tell(from net.Addr, err error) {
	now := int64(time.Since(g.began))
	quiet := g.quiet.Load()
	if errors.Is(err, io.EOF) || now < quiet || !g.quiet.CompareAndSwap(quiet, now+int64(time.Minute)) {
		return // a probe of the port says nothing at all
	}
	g.log.Warn("a connection was refused: it did not come to TLS; further ones are not logged for a minute", "from", from, "err", err)
}

// shaken is a connection that tells when its handshake fails. It does not show what it is:
// net/http would take it for one that it has to shake hands with itself.
type shaken struct {
	net.Conn // a *tls.Conn
	by       *guarded
	once     sync.Once
}

func (c *shaken) shake() {
	c.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Conn.(*tls.Conn).HandshakeContext(ctx); err != nil {
			c.by.tell(c.RemoteAddr(), err)
		}
	})
}

func (c *shaken) Read(into []byte) (int, error) {
	c.shake()
	return c.Conn.Read(into) // fails as the handshake did
}

func (c *shaken) Write(from []byte) (int, error) {
	c.shake()
	return c.Conn.Write(from)
}
