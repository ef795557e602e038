package nodeindex

import (
	"bytes"
	"encoding/binary"

	"cairn"

	"go.etcd.io/bbolt"
)

// In the file, a slice of requests is in pieces, each under its offset in the
// records: a checkpoint adds what has been appended since the one before, and
// deletes slices as a whole.

// metaRequests is where the times of requests stand in bucketMeta.
var metaRequests = []byte("requests")

// requestPiece bounds a piece: larger ones would want many pages in a row.
const requestPiece = 128 << 10

// requestSliceName names a slice in the file.
type requestSliceName struct {
	keyspace cairn.UID
	second   int64
}

// frozenRequests is what a checkpoint writes of requests.
type frozenRequests struct {
	requestTimes
	kept  map[requestSliceName]bool
	added []addedRequests
}

// addedRequests is what has been appended to a slice. The bytes do not change.
type addedRequests struct {
	name    requestSliceName
	slice   *requestSlice
	offset  int
	records []byte
}

// freeze sets aside what is not in the file.
func (q *requests) freeze() frozenRequests {
	f := frozenRequests{requestTimes: q.requestTimes, kept: make(map[requestSliceName]bool)}
	for _, uid := range sortedUIDs(q.keyspaces) {
		for _, s := range q.keyspaces[uid] {
			name := requestSliceName{uid, s.second}
			f.kept[name] = true
			if s.saved < len(s.records) {
				f.added = append(f.added, addedRequests{name, s, s.saved, s.records[s.saved:]})
			}
		}
	}
	return f
}

// written notes that all of it is in the file.
func (f *frozenRequests) written() {
	for i := range f.added {
		f.added[i].slice.saved = f.added[i].offset + len(f.added[i].records)
	}
}

// bytes is how much is to be written.
func (f *frozenRequests) bytes() (sum int) {
	for i := range f.added {
		sum += len(f.added[i].records)
	}
	return sum
}

func requestKey(name requestSliceName, offset int) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(name.keyspace))
	key = binary.BigEndian.AppendUint64(key, uint64(name.second))
	return binary.BigEndian.AppendUint32(key, uint32(offset))
}

// requestKeyLength is that of what requestKey makes.
const requestKeyLength = 20

func parseRequestKey(key []byte) (name requestSliceName, offset int) {
	name.keyspace = cairn.UID(binary.BigEndian.Uint64(key))
	name.second = int64(binary.BigEndian.Uint64(key[8:]))
	return name, int(binary.BigEndian.Uint32(key[16:]))
}

// requests writes what has been added, and deletes what is forgotten. What a
// checkpoint wrote that was thought to have failed is written over.
func (w *checkpointWriter) requests(c *Checkpoint) error {
	bucket := w.tx.Bucket(bucketRequests)
	bucket.FillPercent = recordsFill
	var gone [][]byte
	err := bucket.ForEach(func(key, _ []byte) error {
		if name, _ := parseRequestKey(key); !c.requests.kept[name] {
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
	for i := range c.requests.added {
		added := &c.requests.added[i]
		offset, rest := added.offset, added.records
		for len(rest) > 0 {
			n := min(len(rest), requestPiece)
			if err := bucket.Put(requestKey(added.name, offset), seal(bytes.Clone(rest[:n]))); err != nil {
				return err
			}
			offset, rest = offset+n, rest[n:]
		}
	}
	return putRequestTimes(w.tx, c.requests.requestTimes)
}

func putRequestTimes(tx *bbolt.Tx, t requestTimes) error {
	out := binary.AppendVarint(nil, t.clock)
	out = binary.AppendVarint(out, t.latest)
	out = binary.AppendVarint(out, t.horizon)
	return tx.Bucket(bucketMeta).Put(metaRequests, seal(out))
}

// loadRequests reads what the last checkpoint wrote.
func loadRequests(tx *bbolt.Tx) (*requests, error) {
	q := newRequests()
	value, ok := unseal(tx.Bucket(bucketMeta).Get(metaRequests))
	d := decoder{rest: value}
	q.requestTimes = requestTimes{clock: d.varint(), latest: d.varint(), horizon: d.varint()}
	if !ok || !d.done() {
		return nil, corrupt("META_DAMAGED", "the times of requests are not what was written")
	}
	records := make(map[requestSliceName][]byte)
	err := tx.Bucket(bucketRequests).ForEach(func(key, sealed []byte) error {
		piece, ok := unseal(sealed)
		if !ok || len(key) != requestKeyLength {
			return corrupt("REQUESTS_DAMAGED", "the requests under %x are not what was written", key)
		}
		name, offset := parseRequestKey(key)
		if offset != len(records[name]) {
			return corrupt("REQUESTS_DAMAGED", "the requests before those under %x are missing", key)
		}
		records[name] = append(records[name], piece...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name := range records {
		s := &requestSlice{second: name.second}
		if !s.load(records[name], q.hash) {
			return nil, corrupt("REQUESTS_DAMAGED", "the requests of keyspace %s and second %d are not what was written", name.keyspace, name.second)
		}
		q.insert(name.keyspace, s)
		q.bytes += s.size()
	}
	return q, nil
}
