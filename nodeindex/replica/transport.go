package replica

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Network carries connections between the replicas of a group.
type Network interface {
	// Listen takes connections of other replicas from now on. A log that is
	// opened anew listens again once its former listener is closed.
	Listen() (net.Listener, error)
	// Dial connects to the replica at an address.
	Dial(address string, timeout time.Duration) (net.Conn, error)
}

// transportTimeout bounds one exchange with another replica. A snapshot has
// more, by its size.
const transportTimeout = 10 * time.Second

// pooledConnections is how many idle connections are kept to each replica.
const pooledConnections = 3

// transport is raft's, with two things added: this replica can be told to
// stand for election at once, and to fall silent.
type transport struct {
	inner
	address  raft.ServerAddress
	consumed chan raft.RPC
	closing  chan struct{}
	close    func() error
	running  sync.WaitGroup
	// silent makes everything that this replica would send fail, so that the
	// others, which then hear nothing of it, elect another leader.
	silent atomic.Bool
}

// inner is what raft's own transports have in common.
type inner interface {
	raft.Transport
	raft.WithClose
	raft.WithPreVote
}

var errSilent = errors.New("this replica is silent: its disk does not answer")

// openTransport makes the transport of a group; without a network that of a
// group of one.
func openTransport(config Config, logger hclog.Logger) (*transport, error) {
	t := &transport{address: raft.ServerAddress(config.Address), consumed: make(chan raft.RPC), closing: make(chan struct{})}
	if config.Network == nil {
		_, t.inner = raft.NewInmemTransport(t.address)
	} else {
		streams, err := newStreams(config.Network)
		if err != nil {
			return nil, err
		}
		t.inner = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: streams, MaxPool: pooledConnections, Timeout: transportTimeout, Logger: logger,
		})
	}
	t.close = sync.OnceValue(func() error {
		close(t.closing)
		err := t.inner.Close()
		t.running.Wait()
		return err
	})
	t.running.Go(t.forward)
	return t, nil
}

// forward hands on what other replicas ask.
func (t *transport) forward() {
	for {
		select {
		case rpc := <-t.inner.Consumer():
			select {
			case t.consumed <- rpc:
			case <-t.closing:
				return
			}
		case <-t.closing:
			return
		}
	}
}

// standForElection has raft stand for election without waiting for a leader
// first: right for a group's only voter, which has nobody to wait for.
func (t *transport) standForElection() {
	t.running.Go(func() {
		header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}
		answered := make(chan raft.RPCResponse, 1)
		select {
		case t.consumed <- raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: header}, RespChan: answered}:
		case <-t.closing:
		}
	})
}

func (t *transport) Consumer() <-chan raft.RPC     { return t.consumed }
func (t *transport) LocalAddr() raft.ServerAddress { return t.address }
func (t *transport) Close() error                  { return t.close() }

func (t *transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	if t.silent.Load() {
		return nil, errSilent
	}
	pipeline, err := t.inner.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return &silentPipeline{pipeline, t}, nil
}

func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, request *raft.AppendEntriesRequest, response *raft.AppendEntriesResponse) error {
	if t.silent.Load() {
		return errSilent
	}
	return t.inner.AppendEntries(id, target, request, response)
}

// silentPipeline falls silent with its transport.
type silentPipeline struct {
	raft.AppendPipeline
	of *transport
}

func (p *silentPipeline) AppendEntries(request *raft.AppendEntriesRequest, response *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if p.of.silent.Load() {
		return nil, errSilent
	}
	return p.AppendPipeline.AppendEntries(request, response)
}

// streams is a Network as raft takes it. It closes the connections that came in
// when it is closed, which raft leaves open.
type streams struct {
	net.Listener
	network Network

	mu     sync.Mutex // guards what follows
	closed bool
	came   map[*cameStream]bool
}

func newStreams(network Network) (*streams, error) {
	listener, err := network.Listen()
	if err != nil {
		return nil, err
	}
	return &streams{Listener: listener, network: network, came: make(map[*cameStream]bool)}, nil
}

func (s *streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return s.network.Dial(string(address), timeout)
}

func (s *streams) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close() // nothing was exchanged
		return nil, net.ErrClosed
	}
	came := &cameStream{conn, s}
	s.came[came] = true
	return came, nil
}

func (s *streams) Close() error {
	err := s.Listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for came := range s.came {
		err = errors.Join(err, came.Conn.Close())
	}
	clear(s.came)
	return err
}

// cameStream is a connection that came in.
type cameStream struct {
	net.Conn
	of *streams
}

func (c *cameStream) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if !c.of.came[c] {
		return nil
	}
	delete(c.of.came, c)
	return c.Conn.Close()
}
