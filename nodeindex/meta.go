package nodeindex

import (
	"bytes"
	"encoding/binary"
	"slices"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
	"go.etcd.io/bbolt"
)

// What stands in bucketMeta.
var (
	metaFormat     = []byte("format")
	metaCheckpoint = []byte("checkpoint")
	metaAssignment = []byte("assignment")
	metaDigest     = []byte("digest")
	// metaInstalled is there while the checkpoint in the file is the snapshot
	// that the file was installed from.
	metaInstalled = []byte("installed")
)

// The format of the file: a name that no other program uses, and a version.
const (
	formatName    = "cairn node index"
	formatVersion = 9
	oldestVersion = 4 // that is read; the next checkpoint makes it the present one
)

func putFormat(tx *bbolt.Tx) error {
	return tx.Bucket(bucketMeta).Put(metaFormat, binary.AppendUvarint([]byte(formatName), formatVersion))
}

// checkFormat refuses a file of another program or of a later version.
func checkFormat(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return corrupt("FILE_FOREIGN", "a bbolt file of another program: it has no bucket %q", bucketMeta)
	}
	version, found := bytes.CutPrefix(meta.Get(metaFormat), []byte(formatName))
	if !found {
		return corrupt("FILE_FOREIGN", "a bbolt file of another program: its format is not %q", formatName)
	}
	number, n := binary.Uvarint(version)
	if n <= 0 || number < oldestVersion || number > formatVersion {
		return corrupt("FILE_VERSION", "the file has format %d; this program reads %d to %d", number, oldestVersion, formatVersion)
	}
	if number >= 7 && tx.Bucket(bucketBundles) == nil {
		return corrupt("FILE_DAMAGED", "the bucket %q is missing", bucketBundles)
	}
	for _, name := range [][]byte{bucketEntries, bucketRecords, bucketShards, bucketArrivals, bucketDeparted, bucketImages, bucketRequests} {
		if tx.Bucket(name) == nil {
			return corrupt("FILE_DAMAGED", "the bucket %q is missing", name)
		}
	}
	return nil
}

// putMeta writes what a checkpoint covers, and the assignment and the digest as
// of it.
func putMeta(tx *bbolt.Tx, meta CheckpointMeta, a *assignment, digest digested) error {
	if err := putFormat(tx); err != nil {
		return err
	}
	bucket := tx.Bucket(bucketMeta)
	if err := putCheckpoint(tx, meta); err != nil {
		return err
	}
	if err := bucket.Delete(metaInstalled); err != nil {
		return err
	}
	if err := bucket.Put(metaDigest, seal(digest.encode())); err != nil {
		return err
	}
	out := binary.AppendUvarint(nil, a.revision)
	out = appendNodeList(out, a.nodes)
	out = binary.AppendUvarint(out, uint64(len(a.keyspaces)))
	for _, uid := range sortedUIDs(a.keyspaces) {
		out = appendKeyspace(out, &a.keyspaces[uid].Keyspace)
		out = appendFlag(out, a.keyspaces[uid].guest)
		out = appendViews(out, a.keyspaces[uid].views)
	}
	out = appendRecords(out, a.records)
	return bucket.Put(metaAssignment, seal(out))
}

func putCheckpoint(tx *bbolt.Tx, meta CheckpointMeta) error {
	out := binary.AppendUvarint(nil, meta.Index)
	out = binary.AppendUvarint(out, meta.Term)
	out = appendBytes(out, meta.Configuration)
	return tx.Bucket(bucketMeta).Put(metaCheckpoint, seal(out))
}

// loadCheckpoint reads what the checkpoint in the file covers.
func loadCheckpoint(tx *bbolt.Tx) (CheckpointMeta, error) {
	bucket := tx.Bucket(bucketMeta)
	value, ok := unseal(bucket.Get(metaCheckpoint))
	d := decoder{rest: value}
	meta := CheckpointMeta{Index: d.uvarint(), Term: d.uvarint(), Configuration: bytes.Clone(d.bytes())}
	if !ok || !d.done() {
		return CheckpointMeta{}, corrupt("META_DAMAGED", "what the checkpoint covers is not what was written")
	}
	meta.Installed = bucket.Get(metaInstalled) != nil
	return meta, nil
}

// loadImage reads what putMeta, populations and departed wrote.
func loadImage(tx *bbolt.Tx) (i *image, err error) {
	i = &image{assignment: &assignment{keyspaces: make(map[cairn.UID]*keyspace)}, departed: make(map[cairn.UID]*roaring.Bitmap)}
	if i.meta, err = loadCheckpoint(tx); err != nil {
		return nil, err
	}
	if i.gaps, err = loadGaps(tx); err != nil {
		return nil, err
	}
	value, ok := unseal(tx.Bucket(bucketMeta).Get(metaDigest))
	if !ok || !i.digest.decode(value) {
		return nil, corrupt("META_DAMAGED", "the digest is not what was written")
	}
	value, ok = unseal(tx.Bucket(bucketMeta).Get(metaAssignment))
	d := decoder{rest: value}
	i.assignment.revision = d.uvarint()
	i.assignment.nodes = d.nodeList()
	for range d.count(8) {
		k := &keyspace{Keyspace: d.keyspace(), guest: d.flag()}
		k.views = d.views(k.UID)
		i.assignment.keyspaces[k.UID] = k
	}
	if len(d.rest) > 0 { // formats before 6 have none
		i.assignment.records = d.records()
	}
	if !ok || !d.done() {
		return nil, corrupt("META_DAMAGED", "the assignment is not what was written")
	}
	if err := i.loadShards(tx); err != nil {
		return nil, err
	}
	if i.images, err = loadImages(tx); err != nil {
		return nil, err
	}
	if i.requests, err = loadRequests(tx); err != nil {
		return nil, err
	}
	return i, tx.Bucket(bucketDeparted).ForEach(func(key, sealed []byte) error {
		value, ok := unseal(sealed)
		if !ok || len(key) != 8 {
			return corrupt("DEPARTED_DAMAGED", "the departed ordinals under %x are not what was written", key)
		}
		bitmap, ok := decodeBitmap(value)
		if !ok {
			return corrupt("DEPARTED_DAMAGED", "the departed ordinals under %x are not what was written", key)
		}
		i.departed[cairn.UID(binary.BigEndian.Uint64(key))] = bitmap
		return nil
	})
}

// loadShards reads the shards of the keyspaces that are known, and what arrives.
func (i *image) loadShards(tx *bbolt.Tx) error {
	shards := make(map[cairn.UID][]*shard)
	err := tx.Bucket(bucketShards).ForEach(func(key, value []byte) error {
		s, withheld, ok := decodeShard(value)
		if !ok || !bytes.Equal(key, shardKey(s.Keyspace, s.ID)) {
			return corrupt("SHARD_DAMAGED", "the shard under %x is not what was written", key)
		}
		k := i.assignment.keyspaces[s.Keyspace]
		switch {
		case k == nil:
			return corrupt("SHARD_DAMAGED", "there are shards of keyspace %s, which the file does not know", s.Keyspace)
		case withheld:
			k.withheld = append(k.withheld, s)
		default:
			shards[s.Keyspace] = append(shards[s.Keyspace], s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.Bucket(bucketArrivals).ForEach(func(key, value []byte) error {
		a, ok := decodeArrival(value)
		if !ok || !bytes.Equal(key, arrivalKey(a.Keyspace, a.Move)) || i.assignment.keyspaces[a.Keyspace] == nil {
			return corrupt("ARRIVAL_DAMAGED", "what is arriving under %x is not what was written", key)
		}
		k := i.assignment.keyspaces[a.Keyspace]
		k.arriving = append(k.arriving, a)
		return nil
	})
	for uid, k := range i.assignment.keyspaces {
		own := shards[uid]
		slices.SortFunc(own, func(a, b *shard) int { return bytes.Compare(a.Start, b.Start) })
		next := newKeyspace(k.Keyspace, k.views, own)
		next.guest, next.withheld = k.guest, k.withheld
		i.assignment.keyspaces[uid] = next.withArrivals(k.arriving)
	}
	return err
}
