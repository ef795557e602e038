package nodeindex

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"cairn"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/pace"

	"github.com/RoaringBitmap/roaring/v2"
	"go.etcd.io/bbolt"
)

const (
	// recordsFill: records come in order of their ordinals and seldom change
	// their size, so pages are filled but for room to grow a little.
	recordsFill = 0.95
	// entriesFill: keys come in random order; a page that a checkpoint splits
	// is one that got several at once, and keeps room for the next.
	entriesFill = 0.75
	// sweepAtOnce bounds how many departed entries one checkpoint sweeps.
	sweepAtOnce = 100_000
)

// commit writes the checkpoint in one transaction, but for what that defers, and
// returns what is changed in bucketEntries. After an error the file may hold the
// checkpoint or what it held before.
func (c *Checkpoint) commit(meta CheckpointMeta) (changes keyChanges, err error) {
	defer recovered(&err)
	tx, err := c.x.db.Begin(true)
	if err != nil {
		return changes, storageError("write checkpoint", err)
	}
	defer func() { _ = tx.Rollback() }() // of what is not committed
	w := checkpointWriter{
		x:       c.x,
		tx:      tx,
		entries: tx.Bucket(bucketEntries),
		shards:  tx.Bucket(bucketShards),
		changes: keyChanges{byKeyspace: make(map[cairn.UID][]keyChange)},
	}
	if w.records, err = newRecordWriter(tx, w.room, w.kept); err != nil {
		return changes, storageError("write checkpoint", err)
	}
	steps := []func(*Checkpoint) error{w.sweep, w.overlays, w.keys, w.populations, w.arrivals, w.departed, w.images, w.requests, func(c *Checkpoint) error {
		return putMeta(tx, meta, c.assignment, c.digest)
	}}
	for _, step := range steps {
		if err := step(c); err != nil {
			return changes, storageError("write checkpoint", err)
		}
	}
	if err := c.x.options.Disk.Commit(durable.Checkpoint, c.x.db.Path(), tx.Commit); err != nil {
		return changes, storageError("write checkpoint", err)
	}
	return w.changes, nil
}

// checkpointWriter is one checkpoint's transaction.
type checkpointWriter struct {
	x               *Index
	tx              *bbolt.Tx
	entries, shards *bbolt.Bucket
	records         *recordWriter

	slab    []byte     // values must stay until the commit
	changes keyChanges // in the order in which they are to be made
	pacer   pace.Pacer
}

// step is called after each step of the writing, which may be interrupted there.
func (w *checkpointWriter) step() error {
	if w.x.interrupted.Load() {
		return errClosed
	}
	w.pacer.Step()
	return nil
}

// change has what stands under a key changed, in the bucket of its keyspace.
func (w *checkpointWriter) change(uid cairn.UID, change keyChange) {
	w.changes.byKeyspace[uid] = append(w.changes.byKeyspace[uid], change)
}

// room is a slab with room for n bytes.
func (w *checkpointWriter) room(n int) []byte {
	const chunk = 256 << 10
	if cap(w.slab)-len(w.slab) < n {
		w.slab = make([]byte, 0, max(chunk, n))
	}
	return w.slab
}

// kept is the slab that room gave out, with what stands in it now.
func (w *checkpointWriter) kept(slab []byte) { w.slab = slab }

// sweep deletes departed entries, at most sweepAtOnce, and the buckets of
// keyspaces that have left altogether.
func (w *checkpointWriter) sweep(c *Checkpoint) error {
	budget := uint64(sweepAtOnce)
	c.swept = make(map[cairn.UID]*roaring.Bitmap)
	for _, uid := range sortedUIDs(c.departed) {
		all := c.departed[uid]
		now := all
		if held := c.unswept[uid]; held != nil {
			now = roaring.AndNot(all, held)
		}
		if now.GetCardinality() > budget {
			now = firstOf(now, budget)
		}
		budget -= now.GetCardinality()
		if now.IsEmpty() {
			continue
		}
		c.swept[uid] = now
		key := uidKey(uid)
		bucket := w.entries.Bucket(key[:])
		if bucket == nil {
			continue // nothing of it ever got into the file
		}
		if err := w.sweepKeyspace(uid, bucket, now); err != nil {
			return err
		}
		if c.assignment.keyspaces[uid] == nil && now == all {
			delete(w.changes.byKeyspace, uid)
			w.changes.dropped = append(w.changes.dropped, uid)
			if err := w.entries.DeleteBucket(key[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstOf are the n lowest of a bitmap that has more.
func firstOf(all *roaring.Bitmap, n uint64) *roaring.Bitmap {
	first := roaring.New()
	it := all.ManyIterator()
	buffer := make([]uint32, n)
	first.AddMany(buffer[:it.NextMany(buffer)])
	return first
}

func (w *checkpointWriter) sweepKeyspace(uid cairn.UID, bucket *bbolt.Bucket, ordinals *roaring.Bitmap) error {
	var gone []keyChange
	it := ordinals.Iterator()
	for it.HasNext() {
		if err := w.step(); err != nil {
			return err
		}
		ordinal := it.Next()
		value, err := w.records.get(ordinal)
		if err != nil {
			return err
		}
		if value == nil {
			continue // it departed before a checkpoint wrote it
		}
		record, ok := parseRecord(value)
		if !ok {
			return corrupt("RECORD_MALFORMED", "the record of ordinal %d is not what was written", ordinal)
		}
		// The key may have another entry since, if its shard has come back.
		held := bucket.Get(record.key)
		if len(held) >= 4 && binary.BigEndian.Uint32(held) == ordinal {
			// The transaction may move what it has read.
			gone = append(gone, keyChange{key: bytes.Clone(record.key)})
		}
		if err := w.records.remove(ordinal); err != nil {
			return err
		}
	}
	pace.SortFunc(&w.pacer, gone, func(a, b keyChange) int { return bytes.Compare(a.key, b.key) })
	w.changes.byKeyspace[uid] = append(w.changes.byKeyspace[uid], gone...)
	return w.records.flush()
}

// overlays writes every frozen generation, the oldest first.
func (w *checkpointWriter) overlays(c *Checkpoint) error {
	for _, o := range slices.Backward(c.frozen) {
		freed := slices.Clone(o.freed)
		pace.SortFunc(&w.pacer, freed, cmp.Compare)
		for _, ordinal := range freed {
			if err := w.step(); err != nil {
				return err
			}
			if err := w.records.remove(ordinal); err != nil {
				return err
			}
		}
		tables := *o.tables.Load()
		var fresh []freshRecord
		for _, uid := range sortedUIDs(tables) {
			written, err := w.table(uid, tables[uid], c.departed[uid])
			if err != nil {
				return err
			}
			fresh = append(fresh, written...)
		}
		// In order of the ordinals: new ones are appended to the bucket.
		pace.SortFunc(&w.pacer, fresh, func(a, b freshRecord) int { return cmp.Compare(a.item.ordinal, b.item.ordinal) })
		for _, f := range fresh {
			if err := w.step(); err != nil {
				return err
			}
			if err := w.record(f); err != nil {
				return err
			}
		}
	}
	return w.records.flush()
}

// freshRecord is an entry whose record is to be written.
type freshRecord struct {
	keyspace cairn.UID
	item     *item
	value    []byte // what stands under the key
}

// table writes what stands under the keys of one table.
func (w *checkpointWriter) table(uid cairn.UID, t *table, departed *roaring.Bitmap) ([]freshRecord, error) {
	fresh := make([]freshRecord, 0, t.count.Load())
	for i := range t.byKey(&w.pacer) {
		if err := w.step(); err != nil {
			return nil, err
		}
		// A key that departed is taken out of the file as well: it may stand
		// there with an ordinal that was freed when it was deleted before.
		if i.deleted || departed != nil && departed.Contains(i.ordinal) {
			w.change(uid, keyChange{key: i.entry.Key})
			continue
		}
		slab := w.room(4 + 5*len(i.entry.Nodes))
		first := len(slab)
		w.slab = appendEntryValue(slab, i.ordinal, i.entry.Nodes)
		value := w.slab[first:len(w.slab):len(w.slab)]
		fresh = append(fresh, freshRecord{uid, i, value})
		w.change(uid, keyChange{i.entry.Key, value})
	}
	return fresh, nil
}

func (w *checkpointWriter) record(f freshRecord) error {
	slab := w.room(len(f.item.entry.Key) + len(f.item.entry.Attributes) + 40)
	first := len(slab)
	w.slab = appendRecord(slab, f.keyspace, &f.item.entry, f.value)
	return w.records.put(f.item.ordinal, w.slab[first:len(w.slab):len(w.slab)])
}

// populations writes the shards that changed and deletes those that left.
func (w *checkpointWriter) populations(c *Checkpoint) error {
	alive := make(map[string]bool)
	for uid, k := range c.assignment.keyspaces {
		for _, s := range k.shards {
			alive[string(shardKey(uid, s.ID))] = true
		}
		for _, s := range k.withheld {
			alive[string(shardKey(uid, s.ID))] = true
		}
	}
	if err := deleteOthers(w.shards, alive); err != nil {
		return err
	}
	for i := range c.shards {
		s := &c.shards[i]
		if err := w.shard(s, false); err != nil {
			return err
		}
	}
	for _, k := range c.assignment.keyspaces {
		for _, s := range k.withheld {
			if err := w.shard(s, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *checkpointWriter) shard(s *shard, withheld bool) error {
	value, err := encodeShard(&s.Shard, s.population, withheld)
	if err != nil {
		return err
	}
	return w.shards.Put(shardKey(s.Keyspace, s.ID), value)
}

// arrivals writes what arrives as far as it changed, and deletes what does no
// more.
func (w *checkpointWriter) arrivals(c *Checkpoint) error {
	bucket := w.tx.Bucket(bucketArrivals)
	alive := make(map[string]bool)
	for uid, k := range c.assignment.keyspaces {
		for _, a := range k.arriving {
			alive[string(arrivalKey(uid, a.Move))] = true
		}
	}
	if err := deleteOthers(bucket, alive); err != nil {
		return err
	}
	for _, a := range c.arrivals {
		value, err := encodeArrival(a)
		if err != nil {
			return err
		}
		if err := bucket.Put(arrivalKey(a.Keyspace, a.Move), value); err != nil {
			return err
		}
	}
	return nil
}

// deleteOthers deletes what stands under other keys than those.
func deleteOthers(bucket *bbolt.Bucket, keys map[string]bool) error {
	var gone [][]byte
	err := bucket.ForEach(func(key, _ []byte) error {
		if !keys[string(key)] {
			gone = append(gone, bytes.Clone(key))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range gone {
		if err := bucket.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// departed writes what is still to be swept.
func (w *checkpointWriter) departed(c *Checkpoint) error {
	if err := w.tx.DeleteBucket(bucketDeparted); err != nil {
		return err
	}
	bucket, err := w.tx.CreateBucket(bucketDeparted)
	if err != nil {
		return err
	}
	rest := without(c.departed, c.swept)
	for _, uid := range sortedUIDs(rest) {
		value, err := appendBitmap(nil, rest[uid])
		if err != nil {
			return err
		}
		key := uidKey(uid)
		if err := bucket.Put(key[:], seal(value)); err != nil {
			return err
		}
	}
	return nil
}
