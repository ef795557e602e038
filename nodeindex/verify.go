package nodeindex

import (
	"bytes"
	"errors"

	"go.etcd.io/bbolt"

	"cairn"
)

// VerifyShard counts a shard again, out of the file as the last checkpoint left it,
// beside the digest that was kept with every write up to there. It takes as long as
// reading the shard does, in which all else goes on. KindStale (NOT_OWNED): the file
// has no such shard. KindUnavailable (CLOSED), KindCorrupt (what stands under a key or
// an ordinal is not what was written).
func (x *Index) VerifyShard(keyspace cairn.UID, id cairn.ShardID) (cairn.ShardCheck, error) {
	for tries := 0; ; tries++ {
		check, err := x.verifyShard(keyspace, id, tries == copyTries)
		if !errors.Is(err, errGiveWay) {
			return check, err
		}
	}
}

func (x *Index) verifyShard(keyspace cairn.UID, id cairn.ShardID, alone bool) (check cairn.ShardCheck, err error) {
	tx, asked, end, err := x.beginCopy(alone)
	if err != nil {
		return check, storageError("verify a shard", err)
	}
	defer end()
	defer panicOnFault(&err)()
	covered, err := loadCheckpoint(tx)
	if err != nil {
		return check, err
	}
	value := tx.Bucket(bucketShards).Get(shardKey(keyspace, id))
	if value == nil {
		return check, errNotOwned
	}
	s, withheld, ok := decodeShard(value)
	if !ok {
		return check, corrupt("SHARD_DAMAGED", "the record of shard %s is not what was written", id)
	}
	check = cairn.ShardCheck{Index: covered.Index, Epoch: s.Epoch, Start: bytes.Clone(s.Start), End: bytes.Clone(s.End), Withheld: withheld, Kept: s.digest()}
	counter := shardCounter{records: walkRecords(tx), keyspace: keyspace}
	under := uidKey(keyspace)
	counter.entries = tx.Bucket(bucketEntries).Bucket(under[:])
	it := s.ordinals.Iterator()
	for it.HasNext() {
		select {
		case <-asked:
			return check, errGiveWay
		default:
		}
		if err := counter.add(it.Next()); err != nil {
			return check, err
		}
	}
	check.Counted = counter.digest
	return check, nil
}

// shardCounter counts entries by what the file has under their keys and ordinals.
type shardCounter struct {
	keyspace cairn.UID
	entries  *bbolt.Bucket // nil where the file has none of the keyspace
	records  *recordWalk
	hasher   entryHasher
	digest   cairn.Digest
}

func (c *shardCounter) add(ordinal uint32) error {
	value := c.records.seek(ordinal)
	named, ok := parseRecord(value)
	if !ok || c.entries == nil {
		return corrupt("RECORD_MISSING", "ordinal %d has no record that is what was written", ordinal)
	}
	checked, ok := decodeRecord(c.keyspace, c.entries.Get(named.key), value)
	if !ok {
		return corrupt("RECORD_CHECKSUM", "the record of ordinal %d is not what was written", ordinal)
	}
	c.digest.Entries++
	c.digest.Sum += c.hasher.hash(&cairn.Entry{Key: checked.key, Version: checked.version, Attributes: checked.attributes})
	return nil
}
