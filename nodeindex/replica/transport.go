package replica

import (
	"errors"
	"io"
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

// transport is raft's, with three things added: this replica can be told to
// stand for election at once, and to fall silent; and the log's retention hears
// what the followers have.
type transport struct {
	inner
	followers *retention
	address   raft.ServerAddress
	consumed  chan raft.RPC
	closing   chan struct{}
	close     func() error
	// stopped tells whether the log that raft writes has stopped.
	stopped func() bool
	running sync.WaitGroup
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
func openTransport(config Config, logger hclog.Logger, s *store) (*transport, error) {
	t := &transport{followers: s.retention, stopped: func() bool { return s.err() != nil }, address: raft.ServerAddress(config.Address), consumed: make(chan raft.RPC), closing: make(chan struct{})}
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

// forward hands on what other replicas ask. A snapshot may stop the log (see
// errOvertaken): then nothing is answered any more. For each entry that a stopped
// log refuses the leader would go back by one, to before the snapshot, and have to
// send another.
func (t *transport) forward() {
	for {
		select {
		case rpc := <-t.inner.Consumer():
			if _, is := rpc.Command.(*raft.InstallSnapshotRequest); !is {
				t.handOn(rpc)
			} else if t.handOnSnapshot(rpc); t.stopped() {
				<-t.closing
				return // what waits here is not handed on to a raft that is closing either
			}
		case <-t.closing:
			return
		}
	}
}

// handOn hands one request on.
func (t *transport) handOn(rpc raft.RPC) {
	select {
	case t.consumed <- rpc:
	case <-t.closing:
	}
}

// handOnSnapshot hands a snapshot on, and its answer back. raft takes nothing else
// in the meantime.
func (t *transport) handOnSnapshot(rpc raft.RPC) {
	asked, answered := rpc.RespChan, make(chan raft.RPCResponse, 1)
	rpc.RespChan = answered
	t.handOn(rpc)
	select {
	case answer := <-answered:
		asked <- answer
	case <-t.closing:
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
	inner, err := t.inner.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return newPipeline(inner, t, id), nil
}

func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, request *raft.AppendEntriesRequest, response *raft.AppendEntriesResponse) error {
	if t.silent.Load() {
		return errSilent
	}
	t.followers.asks(id)
	err := t.inner.AppendEntries(id, target, request, response)
	if err == nil && response.Success {
		// A heartbeat names nothing that the follower has.
		if last := max(request.PrevLogEntry, lastOf(request.Entries)); last > 0 {
			t.followers.acknowledged(id, last)
		}
	}
	return err
}

func lastOf(entries []*raft.Log) uint64 {
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].Index
}

func (t *transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, request *raft.InstallSnapshotRequest, response *raft.InstallSnapshotResponse, data io.Reader) error {
	if t.silent.Load() {
		return errSilent
	}
	t.followers.asks(id)
	err := t.inner.InstallSnapshot(id, target, request, response, data)
	if err == nil && response.Success {
		t.followers.asks(id)
		t.followers.acknowledged(id, request.LastLogIndex)
	}
	return err
}

// streams is a Network as raft takes it. It closes the connections when it is
// closed: raft leaves open what came in, and what it is sending on.
type streams struct {
	net.Listener
	network Network
	// patience is how long the rest of a message may take to go on.
	patience time.Duration

	mu     sync.Mutex // guards what follows
	closed bool
	open   map[*stream]bool
}

func newStreams(network Network) (*streams, error) {
	listener, err := network.Listen()
	if err != nil {
		return nil, err
	}
	return &streams{Listener: listener, network: network, patience: transportTimeout, open: make(map[*stream]bool)}, nil
}

func (s *streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	conn, err := s.network.Dial(string(address), timeout)
	if err != nil {
		return nil, err
	}
	return s.keep(conn)
}

func (s *streams) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return s.keep(&askedConn{Conn: conn, patience: s.patience})
}

func (s *streams) keep(conn net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close() // nothing was exchanged
		return nil, net.ErrClosed
	}
	kept := &stream{conn, s}
	s.open[kept] = true
	return kept, nil
}

func (s *streams) Close() error {
	err := s.Listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for each := range s.open {
		err = errors.Join(err, each.Conn.Close())
	}
	clear(s.open)
	return err
}

// stream is a connection that is open.
type stream struct {
	net.Conn
	of *streams
}

func (c *stream) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if !c.of.open[c] {
		return nil
	}
	delete(c.of.open, c)
	return c.Conn.Close()
}
