package daemon

import (
	"context"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	// gcPercent is how much garbage may lie about for what a collection looks through,
	// and at most for what is alive. What a server allocates is mostly short-lived, per
	// call, over a small live heap (indexes are mapped files): collecting at five times
	// the live heap instead of twice gave 6 to 9% more calls a second and a fifth to two
	// fifths off the 99th percentile.
	gcPercent = 400
	// leastGCPercent is how much may at least for what is alive.
	leastGCPercent = 50
	// leastGarbage and mostGarbage bound how much that is; mostGarbage as long as
	// leastGCPercent allows it: a checkpoint of a large index has gigabytes alive for
	// some seconds.
	leastGarbage = 64 << 20
	mostGarbage  = 1 << 30
	// gcInterval is how often the heap is looked at.
	gcInterval = 250 * time.Millisecond
)

// TuneGC keeps how much the heap may grow fitting to what it holds, until ctx ends,
// unless the GOGC environment variable says how much. GOMEMLIMIT still bounds the
// whole, as always.
func TuneGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	set := gcPercentFor(lastHeap())
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
			if percent := gcPercentFor(lastHeap()); percent != set {
				set = percent
				debug.SetGCPercent(set)
			}
		}
	}()
}

// gcPercentFor is how much a heap may grow of which so many bytes are alive and a
// collection looks through so many, in steps, so that it seldom changes.
//
// What has no pointers costs a collection nothing, such as the shards of a large map.
// Garbage in proportion to that would save hardly any collections, and have every call
// allocate memory that is in no cache and, until the heap has been that large, not in
// the process either.
func gcPercentFor(live, scanned uint64) int {
	const step = 25
	garbage := min(max(scanned*gcPercent/100, leastGarbage), mostGarbage)
	percent := 100 * garbage / max(live, 1) / step * step
	return int(min(max(percent, leastGCPercent), gcPercent))
}

// lastHeap is what the last collection found alive, and how much of the heap it had to
// look through.
func lastHeap() (live, scanned uint64) {
	samples := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	runtimemetrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}
