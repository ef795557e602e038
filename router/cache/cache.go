package cache

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"cairn"
)

// Options are what a Cache needs.
type Options struct {
	// Bytes bounds the memory of entries, in about; at least 1.
	Bytes int64
	// Bound is how long a source's proof is good for eventual reads.
	Bound time.Duration
	// Now is the time since any moment, never less than before; nil for the
	// process's clock.
	Now func() time.Duration
}

// Cache has the entries of all sources. Any goroutine may use it.
type Cache struct {
	bound   time.Duration
	now     func() time.Duration
	seed    maphash.Seed
	entries *otter.Cache[uint64, Entry]
	// evicted are entries that were given up for room.
	evicted atomic.Uint64

	sources atomic.Pointer[[]*Source] // ascending by id; replaced under mu
	mu      sync.Mutex
}

// New makes a Cache.
func New(options Options) *Cache {
	c := &Cache{bound: options.Bound, now: options.Now, seed: maphash.MakeSeed()}
	if c.now == nil {
		began := time.Now()
		c.now = func() time.Duration { return time.Since(began) }
	}
	c.entries = otter.Must(&otter.Options[uint64, Entry]{
		MaximumWeight: uint64(options.Bytes),
		Weigher:       func(_ uint64, e Entry) uint32 { return uint32(e.size()) },
		OnAtomicDeletion: func(e otter.DeletionEvent[uint64, Entry]) {
			if e.WasEvicted() {
				c.evicted.Add(1)
			}
		},
	})
	c.sources.Store(new([]*Source))
	return c
}

// hash is of a key in a keyspace, whose uid is random.
func (c *Cache) hash(keyspace cairn.UID, key cairn.Key) uint64 {
	return maphash.Bytes(c.seed, key) ^ uint64(keyspace)
}

// Source is a source that is open, nil if it is not.
func (c *Cache) Source(id SourceID) *Source {
	sources := *c.sources.Load()
	if i, found := find(sources, id); found {
		return sources[i]
	}
	return nil
}

// find is where a source stands or would. It is by hand, since to call a comparing function
// would take a part of a lookup's time.
func find(sources []*Source, id SourceID) (int, bool) {
	low, high := 0, len(sources)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if at := &sources[middle].id; at.Cluster < id.Cluster || at.Cluster == id.Cluster && at.Keyspace < id.Keyspace {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(sources) && sources[low].id == id
}

// Open opens a source, unless it is; opened tells whose part it is to follow it.
func (c *Cache) Open(id SourceID) (source *Source, opened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sources := *c.sources.Load()
	i, found := find(sources, id)
	if found {
		return sources[i], false
	}
	source = &Source{id: id, cache: c}
	sources = slices.Insert(slices.Clone(sources), i, source)
	c.sources.Store(&sources)
	return source, true
}

// Close forgets a source and all that came of it.
func (c *Cache) Close(source *Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	source.End()
	sources := *c.sources.Load()
	if i, found := find(sources, source.id); found && sources[i] == source {
		sources = slices.Delete(slices.Clone(sources), i, i+1)
		c.sources.Store(&sources)
	}
}

// Fill takes in an index's answer about a key, and tells whether it did. It does not if
// the key may have changed since, if the source is in no session, if what is here is
// newer, or if the answer is none that an index gives.
func (c *Cache) Fill(source *Source, key cairn.Key, fill Fill) bool {
	// What can't be taken in needs no copies, as far as can be told without the lock.
	hash := c.hash(source.id.Keyspace, key)
	if source.admit(hash, fill.Located.Stamp.Index) == nil || len(key) > cairn.MaxKeyLength || len(fill.Located.Nodes) > cairn.MaxReplicas {
		return false
	}
	entry := newEntry(source, key, fill)
	admitted, stands := false, false
	put := func(old Entry, found bool) (Entry, otter.ComputeOp) {
		if found && old.is(source.id.Keyspace, key) && old.Stamp().Compare(entry.Stamp()) > 0 {
			return Entry{}, otter.CancelOp
		}
		if entry.session = source.admit(hash, entry.index); entry.session == nil {
			return Entry{}, otter.CancelOp
		}
		if found && !stands {
			stands = true
			return Entry{}, otter.InvalidateOp
		}
		admitted = true
		return entry, otter.WriteOp
	}
	// The library keeps a value that has replaced another apart from its node: one place more
	// to wait for memory. So what stands here leaves before.
	if c.entries.Compute(hash, put); stands {
		c.entries.Compute(hash, put)
	}
	return admitted
}
