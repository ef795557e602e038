package cache

import (
	"sync/atomic"
	"time"

	"cairn"
)

// SourceID names a keyspace in the log of a cluster.
type SourceID struct {
	Cluster, Keyspace cairn.UID
}

// Source is where entries come from: one keyspace in the log of one cluster. Begin,
// Take and End are for one goroutine, which follows the changes.
type Source struct {
	id      SourceID
	cache   *Cache
	session atomic.Pointer[session] // nil before the first

	counts counts
}

// changeSlots is how many slots a session remembers changes in. A late answer is dropped
// in vain if another key of its slot has changed meanwhile: with 10,000 changes a second
// and answers of a millisecond, one in a hundred.
const changeSlots = 1024

// session is a stream of changes without a gap.
type session struct {
	keyspace cairn.UID // the source's
	// floor is where it began: earlier changes are not known.
	floor   uint64
	changed [changeSlots]atomic.Uint64 // the last index at which a key of the slot changed
	proof   atomic.Pointer[proof]
}

// proof is up to where a session is known to be true.
type proof struct {
	cairn.Answer
	at time.Duration // of the cache's clock, when it was told
}

// ID names the source.
func (s *Source) ID() SourceID { return s.id }

// Begin begins a session where a stream tells that it begins: all that was filled before
// is given up.
func (s *Source) Begin(at cairn.Answer) {
	fresh := &session{keyspace: s.id.Keyspace, floor: at.Index}
	fresh.proof.Store(&proof{at, s.cache.now()})
	s.session.Store(fresh)
}

// Take takes in the changes of the session since the batch before. Those keys leave; then
// the rest is true up to the batch's index.
func (s *Source) Take(batch cairn.WatchBatch) {
	now := s.cache.now()
	current := s.session.Load()
	for i := range batch.Changes {
		change := &batch.Changes[i]
		hash := s.cache.hash(s.id.Keyspace, change.Key)
		// In this order: see admit.
		raise(&current.changed[slot(hash)], change.Stamp.Index)
		s.cache.entries.Invalidate(hash)
	}
	current.proof.Store(&proof{batch.Answer, now})
}

// End gives up all that came of the source until it begins again.
func (s *Source) End() { s.session.Store(nil) }

// slot has nothing to do with the bits that the table of entries is ordered by.
func slot(hash uint64) int { return int(hash >> 32 % changeSlots) }

// raise sets a mark to an index unless it is above. Only one goroutine does.
func raise(mark *atomic.Uint64, index uint64) {
	if mark.Load() < index {
		mark.Store(index)
	}
}

// admit tells in which session an answer as of an index holds, nil for none. It is called
// under the lock of the hash's entry. If a change was taken in before, its mark is seen
// here; if not, the entry will be there for the change to remove.
func (s *Source) admit(hash, index uint64) *session {
	current := s.session.Load()
	if current == nil || index < current.floor || index < current.changed[slot(hash)].Load() {
		return nil
	}
	return current
}

// age is how long ago the source was told something, false if it is in no session.
func (s *Source) age() (time.Duration, bool) {
	current := s.session.Load()
	if current == nil {
		return 0, false
	}
	return s.cache.now() - current.proof.Load().at, true
}
