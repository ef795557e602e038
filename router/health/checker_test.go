package health

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"cairn"
)

func TestObserved(t *testing.T) {
	for checks, want := range map[string]bool{
		"": false, "--": false, "--+--": false, "---": true, "---+": true, "---+-+": true, "---++": false, "---++--": false, "---++---": true, "-----": true,
	} {
		var o observed
		for _, c := range checks {
			o = o.after(c == '+')
		}
		if o.down != want {
			t.Errorf("after %q down is %v", checks, o.down)
		}
	}
}

// fleet is nodes whose checks come out as the test says.
type fleet struct {
	*Checker
	mu      sync.Mutex
	failing map[string]bool
	told    []string
	doubts  []bool
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{failing: make(map[string]bool)}
	f.Checker = New(Config{
		Every: 2 * time.Millisecond,
		Check: func(_ context.Context, _ cairn.HealthCheck, address string) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.failing[address] {
				return errors.New("no answer")
			}
			return nil
		},
		Changed: func(target Target, err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if err != nil {
				f.told = append(f.told, "-"+target.Address)
			} else {
				f.told = append(f.told, "+"+target.Address)
			}
		},
		Doubted: func(_ cairn.UID, doubted bool) { f.doubts = append(f.doubts, doubted) }, // under the Checker's lock
	})
	t.Cleanup(f.Close)
	return f
}

func (f *fleet) fail(addresses ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.failing)
	for _, a := range addresses {
		f.failing[a] = true
	}
}

// wait waits until exactly those of nodes 1 to 4 are to be stayed away from.
func (f *fleet) wait(t *testing.T, want ...cairn.NodeID) {
	t.Helper()
	var down []cairn.NodeID
	for range 2_000 {
		down = nil
		for id := range cairn.NodeID(5) {
			if f.Down(1, id) {
				down = append(down, id)
			}
		}
		same := len(down) == len(want)
		for i := range want {
			same = same && down[i] == want[i]
		}
		if same {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("nodes %d are down; want %d", down, want)
}

func TestChecker(t *testing.T) {
	f := newFleet(t)
	four := []Target{{1, 1, "a", cairn.HealthTCP}, {1, 2, "b", cairn.HealthTCP}, {1, 3, "c", cairn.HealthTCP}, {1, 4, "d", cairn.HealthTCP}}
	f.Targets(append(four, Target{2, 1, "e", cairn.HealthTCP}))
	f.fail("b")
	f.wait(t, 2)
	f.fail("b", "c")
	f.wait(t, 2, 3) // half of them
	f.fail("a", "b", "c")
	f.wait(t) // all are used
	if n := f.Failing(); n != 3 {
		t.Errorf("%d fail", n)
	}
	f.fail("c")
	f.wait(t, 3)
	// What is no target any more is not stayed away from; one at a new address begins
	// anew.
	f.Targets(append(four[:2:2], Target{1, 3, "z", cairn.HealthTCP}))
	f.wait(t)
	f.fail("z")
	f.wait(t, 3)
	f.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.told) < 6 || f.told[0] != "-b" || f.told[1] != "-c" || f.told[2] != "-a" || f.told[len(f.told)-1] != "-z" {
		t.Errorf("told %q", f.told)
	}
	if len(f.doubts) != 2 || !f.doubts[0] || f.doubts[1] {
		t.Errorf("doubted %v", f.doubts)
	}
	var none *Checker
	if none.Down(1, 1) {
		t.Error("nobody checks, and a node is down")
	}
}

// TestCheck checks real servers.
func TestCheck(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	status := grpchealth.NewServer()
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, status)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until the test stops it
	}()
	want := func(how cairn.HealthCheck, up bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := Check(ctx, how, address); (err == nil) != up {
			t.Errorf("%s: %v", how, err)
		}
	}
	want(cairn.HealthTCP, true)
	want(cairn.HealthGRPC, true)
	status.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	want(cairn.HealthTCP, true)
	want(cairn.HealthGRPC, false)
	server.Stop()
	<-served
	want(cairn.HealthTCP, false)
	want(cairn.HealthGRPC, false)
}
