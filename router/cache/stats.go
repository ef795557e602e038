package cache

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// counts are how often each outcome was. Those who count at the same time mostly count
// in different lines of memory.
type counts [1 << countBits]struct {
	n [outcomes]atomic.Uint64
	_ [64 - 8*outcomes]byte
}

const countBits = 4

// add counts an outcome. Whoever runs at the same time has a stack of his own, whose place
// chooses the line: by chance one would mostly come from another processor.
func (c *counts) add(outcome Outcome) {
	var here byte
	stack := uint64(uintptr(unsafe.Pointer(&here))) >> 11 // the smallest has 2 KiB
	c[stack*0x9e3779b97f4a7c15>>(64-countBits)].n[outcome].Add(1)
}

func (c *counts) sum(outcome Outcome) (sum uint64) {
	for i := range c {
		sum += c[i].n[outcome].Load()
	}
	return sum
}

// Stats are what a Cache holds and has done.
type Stats struct {
	// Entries and Bytes are what is held, in about.
	Entries int
	Bytes   uint64
	// Evicted are entries that were given up for room.
	Evicted uint64
	// Sources are ascending by cluster and keyspace.
	Sources []SourceStats
}

// SourceStats are of one source, since it was opened.
type SourceStats struct {
	SourceID
	Hits, Misses, Unproven uint64
	// Proven tells whether it is in a session whose proof is good for eventual reads.
	Proven bool
	// Age is how long ago that was told something; 0 in no session.
	Age time.Duration
}

// Stats are how the Cache does now.
func (c *Cache) Stats() Stats {
	s := Stats{Entries: c.entries.EstimatedSize(), Bytes: c.entries.WeightedSize(), Evicted: c.evicted.Load()}
	for _, source := range *c.sources.Load() {
		age, in := source.age()
		s.Sources = append(s.Sources, SourceStats{
			SourceID: source.id, Hits: source.counts.sum(Hit), Misses: source.counts.sum(Miss), Unproven: source.counts.sum(Unproven),
			Proven: in && age <= c.bound, Age: age,
		})
	}
	return s
}
