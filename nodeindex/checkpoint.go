package nodeindex

import (
	"cmp"
	"maps"
	"slices"

	"cairn"
	"cairn/nodeindex/projection"

	"github.com/RoaringBitmap/roaring/v2"
)

// CheckpointMeta says what a checkpoint covers.
type CheckpointMeta struct {
	// Index and Term are of the last log entry covered; 0 before the first
	// checkpoint.
	Index, Term uint64
	// Configuration is the log's own, opaque here: the voters, as encoded by
	// whoever keeps the log.
	Configuration []byte
	// Installed: the file came here as a snapshot, and no checkpoint has been
	// written since. A log that ends before Index is what the snapshot took the
	// place of. Read from the file; Checkpoint.Write has no use for it.
	Installed bool
}

// maxLayers is how many overlays failed checkpoints may leave before they are
// joined: readers look through all of them.
const maxLayers = 8

// Checkpoint is a state set aside by Freeze.
type Checkpoint struct {
	x           *Index
	index, term uint64
	generation  uint64
	digest      digested
	assignment  *assignment
	departed    map[cairn.UID]*roaring.Bitmap
	// unswept are departed ordinals that the views still have. They are not to
	// be swept from the file, after which an ordinal is used again.
	unswept  map[cairn.UID]*roaring.Bitmap
	images   map[cairn.UID]projection.Image // of the views
	frozen   []*overlay                     // newest first
	shards   []shard                        // those changed since the last checkpoint; copies
	arrivals []*arrival                     // likewise
	requests frozenRequests

	// swept is what writing sweeps of departed; deferred tells that it leaves changes of
	// keys to later transactions.
	swept    map[cairn.UID]*roaring.Bitmap
	deferred bool

	// superseded: a snapshot has been installed since. Guarded by
	// Index.writing.
	superseded bool
}

var errSuperseded = cairn.Errorf(cairn.KindConflict, "CHECKPOINT_SUPERSEDED",
	"a snapshot has been installed since the checkpoint was begun; there is nothing to write")

// Freeze sets what has been applied aside for a checkpoint. It belongs to the
// goroutine that applies, and takes time by the number of keyspaces and of
// shards only. It is refused with KindConflict (CHECKPOINT_RUNNING) while
// another checkpoint is neither written nor discarded, and with
// KindUnavailable (CLOSED).
func (x *Index) Freeze() (*Checkpoint, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.running != nil {
		return nil, cairn.Errorf(cairn.KindConflict, "CHECKPOINT_RUNNING", "another checkpoint is being written")
	}
	c := &Checkpoint{x: x, term: x.term, generation: x.generation, digest: x.effects.digested}
	c.index, _ = x.Position()
	before := x.publish(func(s *state) {
		if !s.active.empty() {
			s.frozen = append([]*overlay{s.active}, s.frozen...)
			s.active = newOverlay()
		}
		c.assignment, c.departed, c.frozen = s.assignment, s.departed, s.frozen
	})
	if before == nil {
		return nil, errClosed
	}
	c.unswept, c.images = unswept(before.projections), imagesOf(before.projections)
	for _, k := range c.assignment.keyspaces {
		for _, s := range k.shards {
			if s.changed > x.saved {
				c.shards = append(c.shards, shard{Shard: s.Shard, population: s.freeze()})
			}
		}
		for _, a := range k.arriving {
			if a.changed > x.saved {
				c.arrivals = append(c.arrivals, a.freeze())
			}
		}
	}
	c.requests = x.requests.freeze()
	x.generation++
	x.running = c
	return c, nil
}

// Position is the last log index and term that the checkpoint holds.
func (c *Checkpoint) Position() (index, term uint64) { return c.index, c.term }

// Discard gives a checkpoint up that will not be written; the next one covers
// it. After Write it does nothing.
func (c *Checkpoint) Discard() {
	c.x.mu.Lock()
	defer c.x.mu.Unlock()
	if c.x.running == c {
		c.x.running = nil
	}
}

// Write writes the checkpoint durably, and may be called by any goroutine, once: in
// one transaction, or, where it has many keys, in several, of which a file that has the
// first is brought to have all when it is opened. meta.Index may lie above the frozen
// position if the log entries in between are none of the index's; below, it is refused
// with KindInternal. One that an installed snapshot has overtaken is refused with
// KindConflict (CHECKPOINT_SUPERSEDED). After an error (KindExhausted
// DISK_FULL, KindUnavailable STORAGE_FAILED or CLOSED, KindCorrupt) the index
// serves on as before, and the next checkpoint covers this one too.
func (c *Checkpoint) Write(meta CheckpointMeta) error {
	x := c.x
	x.writing.Lock()
	defer x.writing.Unlock()
	defer c.Discard()
	if meta.Index < c.index {
		return cairn.Errorf(cairn.KindInternal, "CHECKPOINT_INDEX",
			"a checkpoint of log index %d can't be written as of %d", c.index, meta.Index)
	}
	x.mu.Lock()
	running := x.running == c
	x.mu.Unlock()
	if c.superseded {
		return errSuperseded
	}
	if !running {
		return cairn.Errorf(cairn.KindInternal, "CHECKPOINT_OVER", "the checkpoint was written or discarded before")
	}
	s := x.state.Load()
	if s == nil {
		return errClosed
	}
	changes, written := c.write(meta)
	if x.state.Load() == nil {
		return cmp.Or[error](written, errClosed)
	}

	// Whatever became of it: the file's present state gets a new pool.
	keys := s.readers.keys
	if written == nil {
		keys = keys.with(changes, x.options.KeyBytes)
	}
	pool, err := x.newPool(keys, c.index)
	if err != nil {
		return err
	}
	if written != nil && pool.txid != s.readers.txid {
		// What failed is in the file all the same, or some of it is not as it
		// was: the file alone knows.
		pool.keys = nil
	}
	var left []*overlay // of what was to be written
	if written != nil {
		left = c.frozen
		if len(left) > maxLayers {
			left = []*overlay{joinOverlays(left)}
		}
	}
	before := x.publish(func(s *state) {
		s.readers = pool
		// What came after Freeze is in front of what the file has now.
		s.frozen = slices.Concat(s.frozen[:len(s.frozen)-len(c.frozen)], left)
		if written != nil {
			return
		}
		if len(c.swept) > 0 {
			s.departed = without(s.departed, c.swept)
		}
	})
	before.readers.retire()
	if written != nil {
		return written
	}
	x.finish(c, meta)
	return nil
}

// write brings the file to hold the checkpoint, and returns what that changes in
// bucketEntries. After an error the file may hold it, or some of it.
func (c *Checkpoint) write(meta CheckpointMeta) (changes keyChanges, err error) {
	x := c.x
	if err := x.settle(); err != nil { // where the one before has failed
		return changes, err
	}
	if err := x.makeRoom(c.estimate(x.state.Load().readers.fileBytes)); err != nil {
		return changes, err
	}
	// First, since the log is not replayed from before the checkpoint.
	x.feeds.log.Sync(meta.Index)
	if changes, err = c.commit(meta); err != nil || !c.deferred {
		return changes, err
	}
	if err := x.renew(c.index); err != nil {
		return changes, err
	}
	return changes, x.settle()
}

// without is departed less what was swept.
func without(departed, swept map[cairn.UID]*roaring.Bitmap) map[cairn.UID]*roaring.Bitmap {
	rest := maps.Clone(departed)
	for uid, gone := range swept {
		left := roaring.AndNot(rest[uid], gone)
		if left.IsEmpty() {
			delete(rest, uid)
		} else {
			rest[uid] = left
		}
	}
	return rest
}

// finish notes that a checkpoint is in the file, when no reader of the file as
// it was before is left: now ordinals can be used again.
func (x *Index) finish(c *Checkpoint, meta CheckpointMeta) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, o := range c.frozen {
		x.ordinals.release(o.freed)
	}
	for _, swept := range c.swept {
		x.ordinals.release(swept.ToArray())
	}
	c.requests.written()
	x.saved = c.generation
	x.checkpointed, x.savedImages = meta, c.images
	x.checkpointAt = x.options.Now()
	x.running = nil
	x.wakeWork() // views may wait for what is in the file now
}

// newPool begins reading the file as it is now.
func (x *Index) newPool(keys keyTables, index uint64) (*readers, error) {
	pool, err := newReaders(x.db, keys, index, true)
	if err != nil {
		x.shut() // nothing can be read any more; the log has everything
		return nil, storageError("begin reading", err)
	}
	// What bbolt maps at least; never more, or a pool that lasts would meet a
	// map that must grow.
	x.mapped = max(x.mapped, mapSize(pool.fileBytes))
	return pool, nil
}

// makeRoom sees to it that bbolt can grow the file's map, if the file might become so
// large: bbolt waits until no read transaction is open, so the pool of long-lived ones
// gives way to one whose readers live for one request, and snapshots being written begin
// again after the checkpoint.
func (x *Index) makeRoom(estimate int) error {
	s := x.state.Load()
	if s == nil {
		return errClosed
	}
	if estimate < x.mapped {
		return nil
	}
	passing, err := newReaders(x.db, s.readers.keys, s.readers.index, false)
	if err != nil {
		return storageError("begin reading", err)
	}
	before := x.publish(func(s *state) { s.readers = passing })
	before.readers.retire()
	x.copies.giveWay()
	return nil
}

// estimate is an upper bound of the file's size after the checkpoint, given
// the size before: at worst every page is written anew and split in two, and
// what is new takes several times its size. Were it too low, bbolt would wait
// for ever for the pool's readers to end.
func (c *Checkpoint) estimate(size int) int {
	bytes := c.requests.bytes()
	for _, o := range c.frozen {
		_, b := o.size()
		bytes += int(b)
	}
	for _, s := range c.shards {
		bytes += int(s.ordinals.GetSerializedSizeInBytes()) + len(s.Start) + len(s.End) + 4096
	}
	for _, a := range c.arrivals {
		bytes += int(a.ordinals.GetSerializedSizeInBytes()) + len(a.Start) + len(a.End) + 4096
	}
	for _, departed := range c.departed {
		bytes += int(departed.GetSerializedSizeInBytes())
	}
	return roomToWrite(size, bytes)
}

// roomToWrite is how large a file of a size may become by a transaction that adds so many
// bytes.
func roomToWrite(size, bytes int) int {
	const least = 4 << 20
	return 3*size + 8*bytes + least
}

// mapSize is how much bbolt maps for a file of a size: powers of two up to a
// gigabyte, whole gigabytes above.
func mapSize(size int) int {
	const gigabyte = 1 << 30
	if size > gigabyte {
		return (size + gigabyte - 1) / gigabyte * gigabyte
	}
	mapped := 1 << 15
	for mapped < size {
		mapped *= 2
	}
	return mapped
}
