package nodeindex

import (
	"bytes"
	"encoding/binary"
	"slices"

	"cairn"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/pace"

	"go.etcd.io/bbolt"
)

// A checkpoint that changes many keys is written in several transactions. Keys come in
// random order, so half a million of them are on most pages of a large file, and bbolt has
// in memory what a transaction changes, several times its size, until the commit. The first
// transaction has everything but these changes, and says under bucketDeferred what they
// are, some keys after the others; each one after it makes those of one item. When no item
// is left the file is settled. Until then nothing but what the checkpoint was made of tells
// what those keys have: it stays in memory, and a file that a crash has left so is settled
// before it is read.

// placedKey is a change of a key, and the keyspace that it is in.
type placedKey struct {
	keyspace cairn.UID
	keyChange
}

// keys makes the changes of keys, or defers them where they are more than
// Options.KeysAtOnce.
func (w *checkpointWriter) keys(c *Checkpoint) error {
	var all []placedKey
	for _, uid := range sortedUIDs(w.changes.byKeyspace) {
		for _, change := range w.changes.byKeyspace[uid] {
			all = append(all, placedKey{uid, change})
		}
	}
	if len(all) <= w.x.options.KeysAtOnce {
		return changeKeys(w.entries, all, w.step)
	}
	c.deferred = true
	bucket, err := w.tx.CreateBucket(bucketDeferred)
	if err != nil {
		return err
	}
	number := uint32(0)
	for some := range slices.Chunk(all, w.x.options.KeysAtOnce) {
		if err := bucket.Put(binary.BigEndian.AppendUint32(nil, number), encodeDeferred(some, &w.pacer)); err != nil {
			return err
		}
		number++
	}
	return nil
}

// changeKeys changes what stands under keys, in the order given.
func changeKeys(entries *bbolt.Bucket, changes []placedKey, step func() error) error {
	var bucket *bbolt.Bucket // of the keyspace, nil if it has none
	for i, change := range changes {
		if err := step(); err != nil {
			return err
		}
		name := uidKey(change.keyspace)
		if i == 0 || change.keyspace != changes[i-1].keyspace {
			bucket = entries.Bucket(name[:])
		}
		if change.value == nil {
			if bucket == nil {
				continue
			}
			if err := bucket.Delete(change.key); err != nil {
				return err
			}
			continue
		}
		if bucket == nil {
			made, err := entries.CreateBucket(name[:])
			if err != nil {
				return err
			}
			bucket = made
		}
		bucket.FillPercent = entriesFill
		if err := bucket.Put(change.key, change.value); err != nil {
			return err
		}
	}
	return nil
}

// encodeDeferred is an item of bucketDeferred.
func encodeDeferred(changes []placedKey, pacer *pace.Pacer) []byte {
	size := 4
	for _, change := range changes {
		size += 8 + 2*binary.MaxVarintLen32 + len(change.key) + len(change.value)
	}
	out := make([]byte, 0, size)
	for _, change := range changes {
		out = binary.BigEndian.AppendUint64(out, uint64(change.keyspace))
		out = appendBytes(out, change.key)
		out = appendBytes(out, change.value)
		pacer.Step()
	}
	return seal(out)
}

// decodeDeferred reads what encodeDeferred wrote. What it returns is of the item.
func decodeDeferred(item []byte) (changes []placedKey, err error) {
	value, ok := unseal(item)
	d := decoder{rest: value}
	for d.ok() && len(d.rest) > 0 {
		change := placedKey{cairn.UID(d.uint64()), keyChange{key: d.bytes(), value: d.bytes()}}
		if len(change.value) == 0 {
			change.value = nil // no entry is encoded so
		}
		changes = append(changes, change)
	}
	if !ok || !d.done() {
		return nil, corrupt("DEFERRED_DAMAGED", "changes of keys that a checkpoint deferred are not what was written")
	}
	return changes, nil
}

// settleSome makes the changes of one item, and is false where there is none.
func settleSome(db *bbolt.DB, disk durable.Disk, step func() error) (some bool, err error) {
	defer panicOnFault(&err)()
	tx, err := db.Begin(true)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }() // of what is not committed
	bucket := tx.Bucket(bucketDeferred)
	if bucket == nil {
		return false, nil
	}
	items := bucket.Cursor()
	number, item := items.First()
	// The transaction may move what it has read.
	number, item = bytes.Clone(number), bytes.Clone(item)
	changes, err := decodeDeferred(item)
	if err != nil {
		return false, err
	}
	if err := changeKeys(tx.Bucket(bucketEntries), changes, step); err != nil {
		return false, err
	}
	if last, _ := items.Last(); bytes.Equal(last, number) {
		err = tx.DeleteBucket(bucketDeferred)
	} else {
		err = bucket.Delete(number)
	}
	if err != nil {
		return false, err
	}
	return true, disk.Commit(durable.Settle, db.Path(), tx.Commit)
}

// settleFile settles a file that nobody reads.
func settleFile(db *bbolt.DB, disk durable.Disk) error {
	for {
		some, err := settleSome(db, disk, func() error { return nil })
		if err != nil || !some {
			return err
		}
	}
}

// settle settles the file that the index serves from. After an error it serves on as
// before. x.writing is held.
func (x *Index) settle() error {
	var pacer pace.Pacer
	step := func() error {
		if x.interrupted.Load() {
			return errClosed
		}
		pacer.Step()
		return nil
	}
	for {
		s := x.state.Load()
		if s == nil {
			return errClosed
		}
		settled, err := isSettled(x.db)
		if err != nil {
			return storageError("read the file", err)
		}
		if settled {
			return nil
		}
		if err := x.makeRoom(roomToWrite(s.readers.fileBytes, 0)); err != nil {
			return err
		}
		if _, err := settleSome(x.db, x.options.Disk, step); err != nil {
			return storageError("write checkpoint", err)
		}
		if err := x.renew(s.readers.index); err != nil {
			return err
		}
	}
}

// loadDeferred is what will stand under keys once the file is settled, nil where nothing
// will.
func loadDeferred(tx *bbolt.Tx) (map[cairn.UID]map[string][]byte, error) {
	all := make(map[cairn.UID]map[string][]byte)
	bucket := tx.Bucket(bucketDeferred)
	if bucket == nil {
		return all, nil
	}
	return all, bucket.ForEach(func(_, item []byte) error {
		changes, err := decodeDeferred(item)
		for _, change := range changes {
			of := all[change.keyspace]
			if of == nil {
				of = make(map[string][]byte)
				all[change.keyspace] = of
			}
			of[string(change.key)] = change.value
		}
		return err
	})
}

// isSettled tells whether nothing is deferred.
func isSettled(db *bbolt.DB) (settled bool, err error) {
	defer panicOnFault(&err)()
	err = db.View(func(tx *bbolt.Tx) error {
		settled = tx.Bucket(bucketDeferred) == nil
		return nil
	})
	return settled, err
}

// renew has who reads read the file as it is now, which holds what was applied up to a log
// index: what it lacks of that is in memory.
func (x *Index) renew(index uint64) error {
	s := x.state.Load()
	if s == nil {
		return errClosed
	}
	pool, err := x.newPool(s.readers.keys, index)
	if err != nil {
		return err
	}
	before := x.publish(func(s *state) { s.readers = pool })
	before.readers.retire()
	return nil
}
