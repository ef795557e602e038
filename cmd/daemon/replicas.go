package daemon

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"

	"cairn"
	"cairn/cmd/secure"
	"cairn/router/peer"
)

// replicaNetwork is a replica.Network over the listener that routers use too.
type replicaNetwork struct {
	junction  *junction
	transport *secure.Transport
	cluster   cairn.UID
}

// Listen takes the junction's connections of this cluster's replicas, until
// the listener is closed.
func (n *replicaNetwork) Listen() (net.Listener, error) {
	l := &replicaListener{
		junction: n.junction, cluster: n.cluster, log: n.junction.log,
		arrived: make(chan net.Conn), closed: make(chan struct{}),
	}
	l.close = sync.OnceFunc(func() {
		close(l.closed)
		n.junction.mu.Lock()
		if n.junction.replicas == l {
			n.junction.replicas = nil
		}
		n.junction.mu.Unlock()
	})
	n.junction.mu.Lock()
	defer n.junction.mu.Unlock()
	if n.junction.replicas != nil {
		return nil, errors.New("another replica listens here already")
	}
	n.junction.replicas = l
	return l, nil
}

// Dial connects to another replica of the cluster.
func (n *replicaNetwork) Dial(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := n.transport.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(binary.BigEndian.AppendUint64([]byte{replicaMark}, uint64(n.cluster))); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// probeTimeout bounds the question to one replica who it is.
const probeTimeout = time.Second

// probe asks all addresses at once who is there. What does not answer is nil.
func (n *replicaNetwork) probe(ctx context.Context, addresses []string) []*cairn.Identity {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	answers := make([]*cairn.Identity, len(addresses))
	done := make(chan int)
	for i, address := range addresses {
		go func() {
			defer func() { done <- i }()
			p, err := peer.Dial(address, peer.Options{Streams: 1, Dial: []grpc.DialOption{n.transport.DialOption()}})
			if err != nil {
				return
			}
			defer p.Close()
			if identity, err := p.Identify(ctx); err == nil {
				answers[i] = &identity
			}
		}()
	}
	for range addresses {
		<-done
	}
	return answers
}

// replicaListener has the connections of a cluster's replicas.
type replicaListener struct {
	junction *junction
	cluster  cairn.UID
	log      *slog.Logger
	arrived  chan net.Conn
	closed   chan struct{}
	close    func()
	stranger sync.Once
}

// take takes a connection that came for a cluster, if it is this one.
func (l *replicaListener) take(conn net.Conn, cluster cairn.UID) bool {
	if cluster != l.cluster {
		l.stranger.Do(func() {
			l.log.Warn("a replica of another cluster was sent here; two clusters name one address", "of", cluster, "from", conn.RemoteAddr())
		})
		return false
	}
	select {
	case l.arrived <- conn:
		return true
	case <-l.closed:
	case <-l.junction.closing:
	}
	return false
}

func (l *replicaListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.arrived:
		return conn, nil
	case <-l.closed:
	case <-l.junction.closing:
	}
	return nil, net.ErrClosed
}

func (l *replicaListener) Close() error {
	l.close()
	return nil
}

func (l *replicaListener) Addr() net.Addr { return l.junction.Addr() }
