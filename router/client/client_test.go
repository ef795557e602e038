package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"cairn"
	"cairn/router"
	"cairn/router/client"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host serves one router at one address, and can go and come back.
type host struct {
	t       testing.TB
	edge    *server.Server
	address string
	called  atomic.Value // a func(method string) that is told of calls, if set

	mu      sync.Mutex
	running *grpc.Server
	ended   chan struct{}
}

func newHost(t testing.TB, b *bed.Bed) *host {
	t.Helper()
	return newLimitedHost(t, b, 0)
}

// newLimitedHost is a host that takes requests of so many bytes, 0 for the default.
func newLimitedHost(t testing.TB, b *bed.Bed, maxMessageBytes int) *host {
	t.Helper()
	r, err := router.New(router.Config{Topology: b.Topology(), Dial: b.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	h := &host{t: t, address: "127.0.0.1:0"}
	call := func(e server.CallEvent) {
		if called := h.called.Load(); called != nil {
			called.(func(string))(e.Method)
		}
	}
	h.edge, err = server.New(server.Config{
		Router: r, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Events: server.Events{Call: call}, MaxMessageBytes: maxMessageBytes,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.start()
	t.Cleanup(h.stop)
	return h
}

func (h *host) start() {
	listener, err := net.Listen("tcp", h.address)
	if err != nil {
		h.t.Error(err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.address = listener.Addr().String()
	h.running, h.ended = h.edge.GRPC(), make(chan struct{})
	go func(g *grpc.Server, ended chan struct{}) {
		defer close(ended)
		_ = g.Serve(listener) // ends with stop
	}(h.running, h.ended)
}

func (h *host) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running.Stop()
	<-h.ended
}

func dial(t testing.TB, h *host, timeout time.Duration) *client.Client {
	t.Helper()
	c, err := client.Dial(h.address, client.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newBed(t testing.TB) *bed.Bed {
	t.Helper()
	b, err := bed.New(2, 8)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func putOne(c *client.Client, key string) error {
	_, _, err := c.Put(context.Background(), bed.Things, cairn.Write{Operation: cairn.Put, Key: cairn.Key(key)}, cairn.RequestID{})
	return err
}

func TestReadsWaitForAServer(t *testing.T) {
	h := newHost(t, newBed(t))
	c := dial(t, h, 5*time.Second)
	if err := putOne(c, "k"); err != nil {
		t.Fatal(err)
	}
	h.stop()
	back := time.AfterFunc(200*time.Millisecond, h.start)
	defer back.Stop()
	location, _, err := c.Locate(t.Context(), bed.Things, cairn.Key("k"), cairn.Reading{})
	if err != nil || location.State != cairn.Found {
		t.Errorf("%+v, %v", location, err)
	}
}

func TestNoServerIsUnavailable(t *testing.T) {
	h := newHost(t, newBed(t))
	c := dial(t, h, 300*time.Millisecond)
	h.stop()
	_, _, err := c.Locate(t.Context(), bed.Things, cairn.Key("k"), cairn.Reading{})
	if cairn.KindOf(err) != cairn.KindUnavailable || !strings.Contains(err.Error(), h.address) {
		t.Errorf("read: %v", err)
	}
	if err := putOne(c, "k"); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("a write that was not sent: %v", err)
	}
}

// TestBrokenWritesAreUnknown stops the server while a write is under way.
func TestBrokenWritesAreUnknown(t *testing.T) {
	b := newBed(t)
	arrived := make(chan struct{}, 1)
	release := make(chan struct{})
	b.Faults = func(string, bed.Call) bed.Fault {
		arrived <- struct{}{}
		<-release
		return bed.None
	}
	h := newHost(t, b)
	c := dial(t, h, 5*time.Second)
	outcome := make(chan error, 1)
	go func() { outcome <- putOne(c, "k") }()
	<-arrived
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		h.stop()
	}()
	if err := <-outcome; cairn.KindOf(err) != cairn.KindUnknown || cairn.ReasonOf(err) != "OUTCOME_UNKNOWN" {
		t.Error(err)
	}
	close(release)
	<-stopped
}

// TestWritesThatTheServerFailedOnAreUnknown has the router fail once the index
// may have the write.
func TestWritesThatTheServerFailedOnAreUnknown(t *testing.T) {
	b := newBed(t)
	b.Faults = func(string, bed.Call) bed.Fault { panic("a defect") }
	c := dial(t, newHost(t, b), 5*time.Second)
	if err := putOne(c, "k"); cairn.KindOf(err) != cairn.KindUnknown || cairn.ReasonOf(err) != "OUTCOME_UNKNOWN" {
		t.Error(err)
	}
}

func TestLargeBatchesAreRefusedInWords(t *testing.T) {
	h := newHost(t, newBed(t))
	c := dial(t, h, time.Second)
	keys := make([]cairn.Key, cairn.MaxBatch)
	for i := range keys {
		keys[i] = make(cairn.Key, cairn.MaxKeyLength)
	}
	_, _, err := c.BatchLocate(t.Context(), bed.Things, keys, cairn.Reading{})
	if cairn.KindOf(err) != cairn.KindInvalid || cairn.ReasonOf(err) != "MESSAGE_TOO_LARGE" || !strings.Contains(err.Error(), "send fewer") {
		t.Error(err)
	}
}

// TestBatchesSurviveAServersEnd has many callers' batches travel together while the
// server goes and comes back.
func TestBatchesSurviveAServersEnd(t *testing.T) {
	h := newHost(t, newBed(t))
	c := dial(t, h, 10*time.Second)
	for i := range 50 {
		if err := putOne(c, fmt.Sprintf("k%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	stop := time.Now().Add(500 * time.Millisecond)
	var callers sync.WaitGroup
	for caller := range 20 {
		callers.Go(func() {
			keys := []cairn.Key{cairn.Key(fmt.Sprintf("k%d", caller)), cairn.Key("nothing"), cairn.Key(fmt.Sprintf("k%d", caller+30))}
			for time.Now().Before(stop) {
				locations, _, err := c.BatchLocate(t.Context(), bed.Things, keys, cairn.Reading{})
				if err != nil {
					t.Error(err)
					return
				}
				for i, want := range []cairn.LocateState{cairn.Found, cairn.Absent, cairn.Found} {
					if locations[i].State != want {
						t.Errorf("%s: %+v", keys[i], locations[i])
					}
				}
			}
		})
	}
	for range 3 {
		time.Sleep(100 * time.Millisecond)
		h.stop()
		h.start()
	}
	callers.Wait()
}

// TestWatchResumes breaks the connection between writes.
func TestWatchResumes(t *testing.T) {
	h := newHost(t, newBed(t))
	c := dial(t, h, 5*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	enough := errors.New("enough")
	begun, seen := make(chan struct{}), map[string]bool{}
	done := make(chan error, 1)
	go func() {
		first := true
		done <- c.Watch(ctx, bed.Things, cairn.Token{}, func(changes cairn.Changes) error {
			if first {
				close(begun)
				first = false
			}
			for _, change := range changes.Changes {
				seen[string(change.Key)] = true
			}
			if len(seen) == 30 {
				return enough
			}
			return nil
		})
	}()
	<-begun
	for i := range 30 {
		if i%10 == 5 {
			h.stop()
			h.start()
		}
		key := fmt.Sprintf("k%d", i)
		// The connection finds out about the restart by its first failure.
		for err := putOne(c, key); err != nil; err = putOne(c, key) {
			if kind := cairn.KindOf(err); kind != cairn.KindUnavailable && kind != cairn.KindUnknown {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if err := <-done; !errors.Is(err, enough) {
		t.Errorf("%v, after %d of 30 keys", err, len(seen))
	}
}

func BenchmarkBatchLocate(b *testing.B) {
	h := newHost(b, newBed(b))
	c := dial(b, h, 5*time.Second)
	keys := make([]cairn.Key, 128)
	for i := range keys {
		keys[i] = cairn.Key(fmt.Sprintf("customer-%011d", i*7919))
	}
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := c.BatchLocate(context.Background(), bed.Things, keys, cairn.Reading{}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)*float64(len(keys))/b.Elapsed().Seconds(), "keys/s")
}
