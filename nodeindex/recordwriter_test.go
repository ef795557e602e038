package nodeindex

import (
	"bytes"
	"maps"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// TestRecordWriter puts and removes records in several transactions, small and
// large ones, in a file that had some standing alone before: each is found under its
// ordinal and nowhere else.
func TestRecordWriter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		db, err := bbolt.Open(filepath.Join(t.TempDir(), "records"), 0o600, &bbolt.Options{NoSync: true})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		ordinals := rapid.Uint32Range(0, 30)
		records := rapid.Map(rapid.SampledFrom([]int{4, 40, mostBundled, mostBundled + 1, 3000}), func(n int) []byte {
			return bytes.Repeat([]byte{byte(n)}, n)
		})
		model := rapid.MapOfN(ordinals, records, 0, 20).Draw(rt, "before format 7")
		err = db.Update(func(tx *bbolt.Tx) error {
			alone, err := tx.CreateBucket(bucketRecords)
			for ordinal, record := range model {
				under := numberKey(ordinal)
				if err == nil {
					err = alone.Put(under[:], record)
				}
			}
			return err
		})
		if err != nil {
			rt.Fatal(err)
		}
		wantRecords(rt, db, model)
		for range rapid.IntRange(1, 3).Draw(rt, "transactions") {
			if err := db.Update(func(tx *bbolt.Tx) error { return changeRecords(rt, tx, model, ordinals, records) }); err != nil {
				rt.Fatal(err)
			}
			wantRecords(rt, db, model)
		}
	})
}

// changeRecords changes a model of what records there are, and the records.
func changeRecords(rt *rapid.T, tx *bbolt.Tx, model map[uint32][]byte, ordinals *rapid.Generator[uint32], records *rapid.Generator[[]byte]) error {
	checkpoint := &checkpointWriter{}
	w, err := newRecordWriter(tx, checkpoint.room, checkpoint.kept)
	if err != nil {
		return err
	}
	for range rapid.IntRange(0, 30).Draw(rt, "changes") {
		ordinal := ordinals.Draw(rt, "ordinal")
		if rapid.Bool().Draw(rt, "remove") {
			delete(model, ordinal)
			err = w.remove(ordinal)
		} else {
			model[ordinal] = records.Draw(rt, "record")
			err = w.put(ordinal, model[ordinal])
		}
		if err != nil {
			return err
		}
		other := ordinals.Draw(rt, "other")
		if got, err := w.get(other); err != nil || !bytes.Equal(got, model[other]) {
			rt.Fatalf("ordinal %d has a record of %d bytes, %v; want %d", other, len(got), err, len(model[other]))
		}
	}
	return w.flush()
}

// wantRecords holds a file against a model, in ascending order and in another.
func wantRecords(rt *rapid.T, db *bbolt.DB, model map[uint32][]byte) {
	err := db.View(func(tx *bbolt.Tx) error {
		walk, again := walkRecords(tx), walkRecords(tx)
		for i := range uint32(40) {
			if got := walk.seek(i); !bytes.Equal(got, model[i]) {
				rt.Fatalf("ordinal %d has a record of %d bytes; want %d", i, len(got), len(model[i]))
			}
			if i := i * 17 % 40; !bytes.Equal(again.seek(i), model[i]) {
				rt.Fatalf("ordinal %d has another record in another order", i)
			}
		}
		found := make(map[uint32][]byte)
		err := eachRecord(tx, func(ordinal uint32, record []byte) {
			if found[ordinal] != nil {
				rt.Fatalf("ordinal %d has two records", ordinal)
			}
			found[ordinal] = record
		})
		if !maps.EqualFunc(found, model, bytes.Equal) {
			rt.Fatalf("%d records; want %d", len(found), len(model))
		}
		return err
	})
	if err != nil {
		rt.Fatal(err)
	}
}
