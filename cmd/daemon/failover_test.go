package daemon

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// killsEnv sets how many leaders TestFailover kills; without it, a few.
const killsEnv = "CAIRN_FAILOVER_KILLS"

// failoverLimit is how long writes may stand still after the leader is killed.
const failoverLimit = 3 * time.Second

// TestFailover kills (kill -9) leader after leader and measures how long no write
// is acknowledged, as one writer sees it. No write fails, and none is lost.
func TestFailover(t *testing.T) {
	kills := int(fromEnv(t, killsEnv, 3))
	s := startReplicated(t, 3)
	s.mustWrite(0, 100)
	var acknowledged atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var last atomic.Int64 // when a write was acknowledged, in nanoseconds since began
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 100; ctx.Err() == nil; i++ {
			call, cancel := context.WithTimeout(ctx, patience)
			if _, err := s.writeRange(call, i, i+1); err == nil {
				acknowledged.Add(1)
				last.Store(int64(time.Since(began)))
			} else if ctx.Err() == nil {
				t.Errorf("write %d: %v", i, err)
			}
			cancel()
		}
	}()
	var stalls []time.Duration
	for range kills {
		lost := s.leader()
		s.indexes[lost].kill()
		killed := time.Since(began)
		before := acknowledged.Load()
		// Two, since one may have been on its way.
		eventually(t, "writes go on", func() bool { return acknowledged.Load() >= before+2 })
		stalls = append(stalls, time.Duration(last.Load())-killed)
		s.indexes[lost] = start(t, s.configs[lost])
		s.indexes[lost].ready()
		s.settle()
	}
	stop()
	<-done
	slices.Sort(stalls)
	at := func(share float64) time.Duration {
		return stalls[min(len(stalls)-1, int(share*float64(len(stalls))))].Round(time.Millisecond)
	}
	t.Logf("%d leaders killed: writes stood still for %v (median), %v (90th percentile), %v (99th), %v at most",
		kills, at(0.5), at(0.9), at(0.99), at(1))
	if at(0.99) > failoverLimit {
		t.Errorf("at the 99th percentile writes stood still for %v; want at most %v", at(0.99), failoverLimit)
	}
	s.expect(upTo(100 + int(acknowledged.Load())))
	s.terminate()
}
