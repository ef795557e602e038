package daemon

import (
	"context"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	// gcPercent is how much a small heap may grow between collections. What a server
	// allocates is mostly short-lived, per call, over a small live heap (indexes are
	// mapped files): collecting at five times the live heap instead of twice gave 6
	// to 9% more calls a second and a fifth to two fifths off the 99th percentile.
	gcPercent = 400
	// leastGCPercent is how much a large one may.
	leastGCPercent = 50
	// mostGarbage is about how much may lie about, as long as leastGCPercent allows
	// it: a checkpoint of a large index has gigabytes alive for some seconds.
	mostGarbage = 1 << 30
	// gcInterval is how often the heap is looked at.
	gcInterval = 250 * time.Millisecond
)

// tuneGC keeps how much the heap may grow fitting to how large it is, until ctx ends,
// unless the GOGC environment variable says how much. GOMEMLIMIT still bounds the
// whole, as always.
func tuneGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	set := gcPercentFor(liveHeap())
	debug.SetGCPercent(set)
	go func() {
		tick := time.NewTicker(gcInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if percent := gcPercentFor(liveHeap()); percent != set {
				set = percent
				debug.SetGCPercent(set)
			}
		}
	}()
}

// gcPercentFor is how much a heap with so many bytes alive may grow, in steps, so
// that it seldom changes.
func gcPercentFor(live uint64) int {
	const step = 25
	percent := 100 * mostGarbage / max(live, 1) / step * step
	return int(min(max(percent, leastGCPercent), gcPercent))
}

// liveHeap is what the last collection found alive.
func liveHeap() uint64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(sample)
	return sample[0].Value.Uint64()
}
