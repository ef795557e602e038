package nodeindex

import (
	"bytes"
)

// recordWalk reads the file's records of ascending ordinals, which stand in that
// order.
type recordWalk struct {
	reader     *reader
	key, value []byte // where it is
	begun      bool
}

// nearby is how many records are passed one by one before a search is cheaper.
const nearby = 4

// seek is the value under an ordinal, nil if there is none. It is good until the
// reader is released.
func (w *recordWalk) seek(ordinal uint32) []byte {
	under := ordinalKey(ordinal)
	if !w.begun {
		w.begun = true
		w.key, w.value = w.reader.records.Seek(under[:])
	}
	for passed := 0; w.key != nil && bytes.Compare(w.key, under[:]) < 0; passed++ {
		if passed == nearby {
			w.key, w.value = w.reader.records.Seek(under[:])
			break
		}
		w.key, w.value = w.reader.records.Next()
	}
	if !bytes.Equal(w.key, under[:]) {
		return nil
	}
	return w.value
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
