package nodeindex

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"cairn"
)

// The reads and writes of a shard are counted, and averaged so that what was long ago
// counts less and less. Reads are counted where they are answered, without a lock: one
// request of sampledOf is, for all of them, so that a counter that many cores add to
// is rarely what they wait for. Each replica counts what it answers itself.

const (
	sampledOf = 16
	// loadMemory is after how long what was counted still counts for 1/e.
	loadMemory = time.Minute
	// loadLook is the least time between two looks at the counters.
	loadLook = time.Second
)

// shardLoad counts what is asked of a population.
type shardLoad struct {
	reads atomic.Uint64 // since the last look
	// Guarded by Index.mu:
	writes              uint64 // since the last look
	readRate, writeRate float64
}

// sampled tells whether a request is one of those whose keys are counted.
func sampled() bool { return rand.Uint32()%sampledOf == 0 }

// countReads counts the keys of a request that is sampled.
func (k *keyspace) countReads(keys []cairn.Key, buffer []byte) {
	for _, key := range keys {
		if s := k.locate(key, buffer); s != nil {
			s.load.reads.Add(sampledOf)
		}
	}
}

// look takes what was counted in some time into the averages.
func (l *shardLoad) look(passed time.Duration) {
	fades := math.Exp(-passed.Seconds() / loadMemory.Seconds())
	average := func(rate *float64, counted uint64) {
		*rate = *rate*fades + float64(counted)/passed.Seconds()*(1-fades)
	}
	average(&l.readRate, l.reads.Swap(0))
	average(&l.writeRate, l.writes)
	l.writes = 0
}

// takePart adds a part of another load: of a shard that was merged, or is divided.
func (l *shardLoad) takePart(of *shardLoad, part float64) {
	l.readRate += of.readRate * part
	l.writeRate += of.writeRate * part
}

// MeasureLoads takes what was asked of the shards since the last time into their
// averages. It is to be called now and then; what comes sooner than a second after the
// last is for the next.
func (x *Index) MeasureLoads() {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	now := x.options.Now()
	passed := now.Sub(x.measuredAt)
	first := x.measuredAt.IsZero()
	if s == nil || passed < loadLook {
		return
	}
	if x.measuredAt = now; first {
		return // what was counted until now is for the next time
	}
	for _, k := range s.keyspaces {
		for _, each := range k.shards {
			each.load.look(passed)
		}
	}
}
