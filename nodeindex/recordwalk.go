package nodeindex

import (
	"bytes"
	"encoding/binary"
	"math"

	"go.etcd.io/bbolt"
)

// recordWalk reads the file's records, the quickest by ascending ordinals: they
// stand in that order.
type recordWalk struct {
	bundles, alone bucketWalk
}

// walkRecords is for one goroutine, and while the transaction lasts.
func walkRecords(tx *bbolt.Tx) *recordWalk {
	w := &recordWalk{alone: bucketWalk{cursor: tx.Bucket(bucketRecords).Cursor()}}
	if bundles := tx.Bucket(bucketBundles); bundles != nil { // files before format 7 have none
		w.bundles.cursor = bundles.Cursor()
	}
	return w
}

// malformed is what no record is.
var malformed = []byte{}

// seek is the record under an ordinal as it was written, nil if there is none. It
// is good until the transaction ends.
func (w *recordWalk) seek(ordinal uint32) []byte {
	if w.bundles.cursor != nil {
		number, slot := bundleOf(ordinal)
		if value := w.bundles.seek(number); value != nil {
			together, ok := decodeBundle(value)
			if !ok {
				return malformed
			}
			if together[slot] != nil {
				return together[slot]
			}
		}
	}
	return w.alone.seek(ordinal)
}

// eachRecord calls back for every record there is. KindCorrupt
// (RECORD_MALFORMED): something else is among them.
func eachRecord(tx *bbolt.Tx, each func(ordinal uint32, record []byte)) error {
	if bundles := tx.Bucket(bucketBundles); bundles != nil {
		err := bundles.ForEach(func(key, value []byte) error {
			together, ok := decodeBundle(value)
			if len(key) != 4 || binary.BigEndian.Uint32(key) > math.MaxUint32/bundleSize || !ok {
				return corrupt("RECORD_MALFORMED", "%x in the bucket %q is not a bundle of records", key, bucketBundles)
			}
			for slot, record := range together {
				if record != nil {
					each(binary.BigEndian.Uint32(key)*bundleSize+uint32(slot), record)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return tx.Bucket(bucketRecords).ForEach(func(key, record []byte) error {
		if len(key) != 4 {
			return corrupt("RECORD_MALFORMED", "%x in the bucket %q is not an ordinal", key, bucketRecords)
		}
		each(binary.BigEndian.Uint32(key), record)
		return nil
	})
}

// find is the record under an ordinal, its sum not looked at; false if there is
// none. It panics where there is something else.
func (w *recordWalk) find(ordinal uint32) (record, bool) {
	value := w.seek(ordinal)
	if value == nil {
		return record{}, false
	}
	found, ok := parseRecord(value)
	if !ok {
		panic(corrupt("RECORD_MALFORMED", "the record of ordinal %d is not what was written", ordinal))
	}
	return found, true
}

// bucketWalk finds numbers among the keys of a bucket, the quickest in ascending order.
type bucketWalk struct {
	cursor     *bbolt.Cursor
	key, value []byte // where it is, the key nil before it begins and behind the last
}

// nearby is how many keys are passed one by one rather than searched.
const nearby = 4

// seek is the value under a number, nil if there is none.
func (w *bucketWalk) seek(number uint32) []byte {
	key := numberKey(number)
	if len(w.key) != len(key) || number-binary.BigEndian.Uint32(w.key) > nearby { // or is before it
		w.key, w.value = w.cursor.Seek(key[:])
	}
	for w.key != nil && bytes.Compare(w.key, key[:]) < 0 {
		w.key, w.value = w.cursor.Next()
	}
	if !bytes.Equal(w.key, key[:]) {
		return nil
	}
	return w.value
}
