package nodeindex

import (
	"go.etcd.io/bbolt"
)

// recordWriter changes records in a transaction, the quickest by ascending
// ordinals: those of a bundle together.
type recordWriter struct {
	bundles, alone *bbolt.Bucket
	// noneAlone tells that none stands alone, and none has since.
	noneAlone bool
	room      func(int) []byte // see checkpointWriter
	keep      func([]byte)

	// number is the bundle that together is, as it was read or changed.
	number   uint32
	begun    bool
	changed  bool
	together bundle
}

// newRecordWriter writes values into slabs that room gives out and keep takes
// back: they must stay until the commit.
func newRecordWriter(tx *bbolt.Tx, room func(int) []byte, keep func([]byte)) (*recordWriter, error) {
	bundles, err := tx.CreateBucketIfNotExists(bucketBundles)
	if err != nil {
		return nil, err
	}
	alone := tx.Bucket(bucketRecords)
	first, _ := alone.Cursor().First()
	bundles.FillPercent, alone.FillPercent = recordsFill, recordsFill
	return &recordWriter{bundles: bundles, alone: alone, noneAlone: first == nil, room: room, keep: keep}, nil
}

// get is the record under an ordinal, nil if there is none; good until the next
// change.
func (w *recordWriter) get(ordinal uint32) ([]byte, error) {
	slot, err := w.turn(ordinal)
	if err != nil || w.together[slot] != nil || w.noneAlone {
		return w.together[slot], err
	}
	under := numberKey(ordinal)
	return w.alone.Get(under[:]), nil
}

// put has a record stand under an ordinal. It must stay as it is until the commit.
func (w *recordWriter) put(ordinal uint32, record []byte) error {
	slot, err := w.turn(ordinal)
	if err != nil {
		return err
	}
	under := numberKey(ordinal)
	if len(record) <= mostBundled {
		if w.together[slot] == nil && !w.noneAlone {
			err = w.alone.Delete(under[:])
		}
		w.together[slot], w.changed = record, true
		return err
	}
	if w.together[slot] != nil {
		w.together[slot], w.changed = nil, true
	}
	w.noneAlone = false
	return w.alone.Put(under[:], record)
}

// remove has no record stand under an ordinal.
func (w *recordWriter) remove(ordinal uint32) error {
	slot, err := w.turn(ordinal)
	if err != nil {
		return err
	}
	if w.together[slot] != nil {
		w.together[slot], w.changed = nil, true
		return nil
	}
	if w.noneAlone {
		return nil
	}
	under := numberKey(ordinal)
	return w.alone.Delete(under[:])
}

// turn turns to the bundle of an ordinal, and returns the ordinal's place in it.
func (w *recordWriter) turn(ordinal uint32) (slot int, err error) {
	number, slot := bundleOf(ordinal)
	if w.begun && w.number == number {
		return slot, nil
	}
	if err := w.flush(); err != nil {
		return slot, err
	}
	w.number, w.begun, w.together = number, true, bundle{}
	under := numberKey(number)
	if value := w.bundles.Get(under[:]); value != nil {
		together, ok := decodeBundle(value)
		if !ok {
			return slot, corrupt("RECORD_MALFORMED", "the records of the ordinals from %d on are not what was written", number*bundleSize)
		}
		w.together = together
	}
	return slot, nil
}

// flush writes what has been changed.
func (w *recordWriter) flush() error {
	if !w.changed {
		return nil
	}
	w.changed = false
	under := numberKey(w.number)
	if w.together.empty() {
		return w.bundles.Delete(under[:])
	}
	slab := w.room(w.together.size())
	first := len(slab)
	slab = w.together.append(slab)
	w.keep(slab)
	return w.bundles.Put(under[:], slab[first:len(slab):len(slab)])
}
