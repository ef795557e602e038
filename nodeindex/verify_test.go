package nodeindex

import (
	"testing"

	"go.etcd.io/bbolt"

	"cairn"
)

// TestVerifyShard counts what the file has of each shard, and finds an entry that is
// not what the digest says.
func TestVerifyShard(t *testing.T) {
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeHash, 4)
	r.assign(a)
	for i := range 2000 {
		r.write(put(testKey(i), size(int64(i))))
	}
	r.write(remove(testKey(3)))
	r.checkpoint()
	total, right := uint64(0), uint64(0)
	for _, s := range a.Shards {
		check, err := r.x.VerifyShard(testKeyspace, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if check.Kept != check.Counted || check.Index != r.index || check.Epoch != s.Epoch || string(check.End) != string(s.End) {
			t.Errorf("shard %s: %+v", s.ID, check)
		}
		if s.ID == a.Shards[1].ID {
			right = check.Kept.Sum
		}
		total += check.Counted.Entries
	}
	if total != 1999 {
		t.Errorf("%d entries are counted", total)
	}
	if _, err := r.x.VerifyShard(testKeyspace, 99); cairn.KindOf(err) != cairn.KindStale {
		t.Errorf("a shard of another: %v", err)
	}

	// A digest that missed a write, and then not.
	id := a.Shards[1].ID
	for _, wrong := range []uint64{1, 0} {
		err := r.x.db.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket(bucketShards)
			s, _, _ := decodeShard(bucket.Get(shardKey(testKeyspace, id)))
			s.sum = right + wrong
			value, err := encodeShard(&s.Shard, s.population, false)
			if err != nil {
				return err
			}
			return bucket.Put(shardKey(testKeyspace, id), value)
		})
		if err != nil {
			t.Fatal(err)
		}
		if check, err := r.x.VerifyShard(testKeyspace, id); err != nil || (check.Kept != check.Counted) != (wrong > 0) {
			t.Errorf("off by %d: %+v, %v", wrong, check, err)
		}
	}
}
