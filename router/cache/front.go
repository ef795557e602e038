package cache

import (
	"math/bits"
	"sync/atomic"
)

// front is a way to entries that is shorter than the table's, which waits for memory
// twice before it comes to an entry: a place for each hash, where the entry of it that was
// found last stands. It is a hint. What the table has given up is marked as gone before
// it leaves, and is not found here from then on.
type front []atomic.Pointer[Entry]

// mostPlaces bounds a front, to 128 MiB.
const mostPlaces = 1 << 24

// newFront has about as many places as a cache of so many bytes has entries.
func newFront(room int64) front {
	places := min(max(room/int64(entryOverhead), 1), mostPlaces)
	return make(front, 1<<bits.Len64(uint64(places-1)))
}

// place is by other bits than a session's slots.
func (f front) place(hash uint64) *atomic.Pointer[Entry] { return &f[hash&uint64(len(f)-1)] }

// find is the entry that was found last at a hash's place, nil if that is gone. It may be
// another hash's.
func (f front) find(hash uint64) *Entry {
	if entry := f.place(hash).Load(); entry != nil && !entry.gone.Load() {
		return entry
	}
	return nil
}

// keep puts an entry in the place of its hash. Should it be given up meanwhile, either
// leave sees it there, or it is seen here that it is gone.
func (f front) keep(hash uint64, entry *Entry) {
	place := f.place(hash)
	if entry.gone.Load() || place.Load() == entry {
		return
	}
	place.Store(entry)
	if entry.gone.Load() {
		place.CompareAndSwap(entry, nil)
	}
}

// leave marks an entry as gone, and takes it out of its place.
func (f front) leave(hash uint64, entry *Entry) {
	entry.gone.Store(true)
	f.place(hash).CompareAndSwap(entry, nil)
}
