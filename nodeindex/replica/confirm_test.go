package replica

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"cairn"
)

// frozen holds back what a replica sends, and what it is told, on connections
// that it has made and on those that it took. It stands for a process that
// stands still: what others have answered meanwhile lies in its sockets.
type frozen struct {
	own                   string // the address where it takes connections
	sends, answers, calls gate
}

// gate is passed unless it is shut.
type gate struct {
	mu   sync.Mutex // guards open
	open chan struct{}
}

func (g *gate) shut() {
	g.mu.Lock()
	g.open = make(chan struct{})
	g.mu.Unlock()
}

func (g *gate) let() {
	g.mu.Lock()
	close(g.open)
	g.open = nil
	g.mu.Unlock()
}

func (g *gate) pass() {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if open != nil {
		<-open
	}
}

type frozenConn struct {
	net.Conn
	of *frozen
}

func (c *frozenConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	if c.LocalAddr().String() == c.of.own {
		c.of.calls.pass()
	} else {
		c.of.answers.pass()
	}
	return n, err
}

func (c *frozenConn) Write(from []byte) (int, error) {
	c.of.sends.pass()
	return c.Conn.Write(from)
}

// TestOldAnswersConfirmNothing has a leader stand still while another takes its
// place. What the others had answered before that reaches it afterwards: it
// says that this replica led then, and not that it leads now.
func TestOldAnswersConfirmNothing(t *testing.T) {
	f := &frozen{}
	g := newGroupOf(t, 1, func(c *Config) {
		c.ElectionTimeout = 300 * time.Millisecond
		if c.ID == "a" {
			// Its clock stands still with it: its lease does not end.
			c.ElectionTimeout = 15 * time.Second
		}
	})
	f.own = g.networks["a"].address
	g.networks["a"].goThrough(func(conn net.Conn) net.Conn { return &frozenConn{conn, f} })
	for _, id := range []string{"b", "c"} {
		g.start(id, false)
		g.join(id)
	}
	old := g.replicas["a"]
	g.write(put(1, "k"))

	f.calls.shut()
	f.answers.shut()
	time.Sleep(700 * time.Millisecond) // a heartbeat is on its way to each
	f.sends.shut()
	delete(g.replicas, "a")
	g.write(put(2, "k"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	time.AfterFunc(100*time.Millisecond, f.answers.let)
	var reply cairn.LocateReply
	request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.Linearizable}, WithAttributes: true, Keys: []cairn.Key{cairn.Key("k")}}
	if leads, _ := old.Standing(); !leads {
		t.Error("the old leader knows of the new one already: nothing was tested")
	}
	if err := old.Locate(ctx, request, &reply); err == nil {
		value, _ := reply.Results[0].Attributes.Get(1)
		t.Errorf("a leader that was replaced answers a linearizable read with %d", value.Int())
	}
	f.sends.let()
	f.calls.let()
	g.replicas["a"] = old
}
