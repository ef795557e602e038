package daemon

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
)

// TestDevEndsUnderLoad runs the stack in the test's own process, so that what
// it leaves running is found when the tests end.
func TestDevEndsUnderLoad(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ready := make(chan Addresses, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- RunDev(ctx, DevConfig{Data: t.TempDir(), Common: Common{
			Listen: anyPort, HTTP: anyPort, Ready: func(at Addresses) { ready <- at },
		}})
	}()
	var at Addresses
	select {
	case at = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	c := call(t, at.Listen)
	c.apply(orders(), cluster("north"), cluster("south"))
	c.mustWrite(0, 1000)
	if _, err := c.changes.Watch(ctx, &cairnv1.WatchRequest{Keyspace: keyspaceName}); err != nil {
		t.Fatal(err)
	}

	load, stop := context.WithCancel(t.Context())
	defer stop()
	var callers sync.WaitGroup
	var writes, reads atomic.Int64
	for w := range 4 {
		callers.Go(func() {
			for first := 1_000_000 * (w + 1); load.Err() == nil; first += 100 {
				done, _ := c.writeRange(load, first, first+100)
				writes.Add(int64(len(done)))
			}
		})
		callers.Go(func() {
			for load.Err() == nil {
				request := &cairnv1.LocateRequest{Keyspace: keyspaceName, Key: key(w)}
				if _, err := c.locator.Locate(load, request); err == nil {
					reads.Add(1)
				}
			}
		})
	}
	eventually(t, "there is load", func() bool { return writes.Load() > 1000 && reads.Load() > 1000 })
	begin := time.Now()
	end()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(2 * ShutdownTimeout):
		t.Fatalf("still there after %v", 2*ShutdownTimeout)
	}
	if took := time.Since(begin); took > ShutdownTimeout {
		t.Errorf("it took %v to end; want at most %v", took, ShutdownTimeout)
	}
	stop()
	callers.Wait()
}

func TestDevEndsWhileItStarts(t *testing.T) {
	for _, after := range []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond, 300 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		begin := time.Now()
		if err := RunDev(ctx, DevConfig{Data: t.TempDir(), Common: Common{Listen: anyPort}}); err != nil {
			t.Errorf("ended after %v: %v", after, err)
		}
		if took := time.Since(begin); took > ShutdownTimeout {
			t.Errorf("ended after %v: it took %v", after, took)
		}
		cancel()
	}
}
