package daemon

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
)

// breaker stands between routers and an index, and breaks connections in the
// middle of what they carry.
type breaker struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	pairs map[net.Conn]net.Conn
	deaf  bool // answers are dropped
}

func newBreaker(t *testing.T, target string) *breaker {
	t.Helper()
	listener, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{listener: listener, target: target, pairs: map[net.Conn]net.Conn{}}
	b.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			b.running.Go(func() { b.carry(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		b.cut()
		b.running.Wait()
	})
	return b
}

func (b *breaker) address() string { return b.listener.Addr().String() }

func (b *breaker) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", b.target)
	if err != nil {
		return
	}
	defer server.Close()
	b.mu.Lock()
	b.pairs[client] = server
	b.mu.Unlock()
	b.running.Go(func() {
		_, _ = io.Copy(server, client) // ends when either is closed
		server.Close()
	})
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		b.mu.Lock()
		deaf := b.deaf
		b.mu.Unlock()
		if err == nil && !deaf {
			_, err = client.Write(buffer[:n])
		}
		if err != nil {
			break
		}
	}
	b.mu.Lock()
	delete(b.pairs, client)
	b.mu.Unlock()
}

// drop loses all answers for a while, and breaks the connections then.
func (b *breaker) drop(during time.Duration) {
	b.hear(false)
	time.Sleep(during)
	b.cut()
	b.hear(true)
}

func (b *breaker) hear(answers bool) {
	b.mu.Lock()
	b.deaf = !answers
	b.mu.Unlock()
}

func (b *breaker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for client, server := range b.pairs {
		client.Close()
		server.Close()
	}
}

// putNew has writers put keys that must be new, one after the other, until
// stop. Were a write carried out twice, it would say that its key is there
// already; were its outcome unknown, it would be an error.
func (c *caller) putNew(stop <-chan struct{}) (wait func()) {
	const writers = 4
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := w * 1_000_000; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				written, err := c.writer.Put(c.context(), &cairnv1.PutRequest{
					Keyspace: keyspaceName, Put: &cairnv1.Put{Key: key(i), Attributes: map[string]*cairnv1.Value{"amount": intValue(i)}},
					Condition: &cairnv1.Condition{Condition: &cairnv1.Condition_IfAbsent{IfAbsent: true}},
				})
				if err != nil || !written.Created {
					c.t.Errorf("key %d: %v, %v", i, written, err)
					return
				}
			}
		})
	}
	return group.Wait
}

// lost checks that answers to writes were lost.
func (s *spread) lost() {
	s.t.Helper()
	if _, page := getPage(s.t, "http://"+s.routerAt.HTTP+"/metrics"); !strings.Contains(page, `reason="outcome unknown"`) {
		s.t.Error("no answer to a write was lost")
	}
}

// TestLostAnswersHealThemselves breaks the connections to an index over and
// over, after writes took effect and before their answers arrived.
func TestLostAnswersHealThemselves(t *testing.T) {
	s := startSpread(t)
	north := newBreaker(t, s.configs["north"].Listen)
	s.apply(cluster("north", north.address()))
	stop := make(chan struct{})
	wait := s.putNew(stop)
	for range 20 {
		time.Sleep(60 * time.Millisecond)
		north.drop(30 * time.Millisecond)
	}
	close(stop)
	wait()
	s.lost()
	s.terminate()
}

// TestKillsHealThemselves kills an index over and over while it writes: what it
// had in its log and did not answer, it answers after its restart.
func TestKillsHealThemselves(t *testing.T) {
	s := startSpread(t)
	stop := make(chan struct{})
	wait := s.putNew(stop)
	for range 4 {
		time.Sleep(200*time.Millisecond + rand.N(200*time.Millisecond))
		s.indexes["north"].kill()
		s.indexes["north"] = start(t, s.configs["north"])
		s.indexes["north"].ready()
	}
	close(stop)
	wait()
	s.lost()
	s.terminate()
}

// TestLostLeadersHealThemselves kills the leader of three replicas over and
// over: whoever leads next answers for it.
func TestLostLeadersHealThemselves(t *testing.T) {
	s := startReplicated(t, 3)
	stop := make(chan struct{})
	wait := s.putNew(stop)
	for range 3 {
		time.Sleep(300 * time.Millisecond)
		lost := s.leader()
		s.indexes[lost].kill()
		s.indexes[lost] = start(t, s.configs[lost])
		s.indexes[lost].ready()
		s.settle()
	}
	close(stop)
	wait()
	s.terminate()
}
