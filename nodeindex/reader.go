package nodeindex

import (
	"bytes"
	"slices"
	"sync"

	"cairn"

	"go.etcd.io/bbolt"
)

// The buckets of the file.
var (
	// bucketEntries nests a bucket for each keyspace, by uid: key -> ordinal
	// and nodes.
	bucketEntries = []byte("entries")
	// bucketDeferred: number -> changes of bucketEntries that the last checkpoint
	// has still to make. It is there while there are any.
	bucketDeferred = []byte("deferred")
	// bucketBundles: ordinal by bundleSize -> the rest of the entries.
	bucketBundles = []byte("bundles")
	// bucketRecords: ordinal -> the rest of an entry that stands alone.
	bucketRecords = []byte("records")
	// bucketShards: keyspace uid and shard id -> definition and population.
	bucketShards = []byte("shards")
	// bucketArrivals: keyspace uid and move uid -> a shard that is moving here.
	bucketArrivals = []byte("arrivals")
	// bucketDeparted: keyspace uid -> ordinals out of sight, to be swept.
	bucketDeparted = []byte("departed")
	// bucketImages: keyspace uid -> the image of its views, and the ordinals
	// that have changed since.
	bucketImages = []byte("images")
	// bucketRequests: keyspace uid, second of issue time and offset -> a piece
	// of the records of requests that are remembered.
	bucketRequests = []byte("requests")
	// bucketMeta: format, checkpoint, assignment.
	bucketMeta = []byte("meta")
)

// reader is one long-lived read transaction with what finding in it needs. A
// bbolt transaction is not for sharing, so a reader serves one request at a
// time.
type reader struct {
	pool    *readers
	tx      *bbolt.Tx
	entries map[cairn.UID]*bbolt.Cursor // nil where the keyspace has no bucket
	records *recordWalk

	last       cairn.UID // whose cursor was asked for last
	lastCursor *bbolt.Cursor

	placement [16]byte // for placement keys
	found     [][]byte // what stands under the keys of a request
	warmed    int      // see keyTable.findAll
}

func newReader(pool *readers, tx *bbolt.Tx) *reader {
	return &reader{
		pool:    pool,
		tx:      tx,
		entries: make(map[cairn.UID]*bbolt.Cursor),
		records: walkRecords(tx),
	}
}

// keyspace is the cursor over a keyspace's entries, nil if the file has none.
func (r *reader) keyspace(uid cairn.UID) *bbolt.Cursor {
	if r.last == uid && uid != 0 {
		return r.lastCursor
	}
	cursor, known := r.entries[uid]
	if !known {
		key := uidKey(uid)
		if bucket := r.tx.Bucket(bucketEntries).Bucket(key[:]); bucket != nil {
			cursor = bucket.Cursor()
		}
		r.entries[uid] = cursor
	}
	r.last, r.lastCursor = uid, cursor
	return cursor
}

// find is what stands under a key, nil if nothing does; valid until the reader
// is released.
func (r *reader) find(uid cairn.UID, key []byte) []byte {
	if r.pool.keys != nil {
		if t := r.pool.keys[uid]; t != nil {
			return t.find(key)
		}
		return nil
	}
	cursor := r.keyspace(uid)
	if cursor == nil {
		return nil
	}
	found, value := cursor.Seek(key)
	if !bytes.Equal(found, key) {
		return nil
	}
	return value
}

// findAll is what stands under each of many keys, until it is called again; nil where the
// keys are not in memory, so that each is to be found by itself.
func (r *reader) findAll(uid cairn.UID, keys []cairn.Key) [][]byte {
	t := r.pool.keys[uid]
	if t == nil || len(keys) == 1 {
		return nil
	}
	r.found = slices.Grow(r.found[:0], len(keys))[:len(keys)]
	r.warmed += t.findAll(keys, r.found)
	return r.found
}

// record is the checked record of an entry, given what stands under its key.
func (r *reader) record(uid cairn.UID, entryValue []byte, ordinal uint32) (record, error) {
	value := r.records.seek(ordinal)
	if value == nil {
		return record{}, corrupt("RECORD_MISSING", "ordinal %d has no record", ordinal)
	}
	decoded, ok := decodeRecord(uid, entryValue, value)
	if !ok {
		return record{}, corrupt("RECORD_CHECKSUM", "the record of ordinal %d is not what was written", ordinal)
	}
	return decoded, nil
}

// readers is a pool of readers that all see one transaction: the file as one
// checkpoint left it. After the next checkpoint it is retired.
type readers struct {
	db        *bbolt.DB
	txid      int
	fileBytes int // in use
	// index is up to which log index the file has, at most, what was applied.
	index uint64
	// settled: the file has all that its last checkpoint has. If not, the rest is in the
	// frozen overlays.
	settled bool
	// keys are what the file has in bucketEntries; nil if that is not kept in
	// memory.
	keys keyTables
	// keep is false while the file may outgrow its map: bbolt grows the map
	// when no read transaction is open, so that none may outlive its request.
	keep bool

	// gone is closed when the pool is retired, drained when, after that, the
	// last reader is back.
	gone, drained chan struct{}

	mu      sync.Mutex
	idle    []*reader
	out     int // readers in use, and transactions being begun
	retired bool
}

func newReaders(db *bbolt.DB, keys keyTables, index uint64, keep bool) (*readers, error) {
	p := &readers{db: db, keys: keys, index: index, keep: keep, gone: make(chan struct{}), drained: make(chan struct{})}
	tx, err := db.Begin(false)
	if err != nil {
		return nil, err
	}
	p.txid, p.fileBytes, p.settled = tx.ID(), int(tx.Size()), tx.Bucket(bucketDeferred) == nil
	first := newReader(p, tx)
	p.out = 1
	p.release(first)
	return p, nil
}

// acquire is a reader, nil if the pool is retired.
func (p *readers) acquire() (*reader, error) {
	p.mu.Lock()
	if p.retired {
		p.mu.Unlock()
		return nil, nil
	}
	p.out++
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return r, nil
	}
	p.mu.Unlock()

	tx, err := p.db.Begin(false)
	if err != nil {
		p.returned()
		return nil, err
	}
	if tx.ID() == p.txid {
		return newReader(p, tx), nil
	}
	// A checkpoint has been written and its pool is about to be published.
	_ = tx.Rollback() // of a read transaction: it can't fail
	p.returned()
	<-p.gone
	return nil, nil
}

func (p *readers) release(r *reader) {
	p.mu.Lock()
	if p.keep && !p.retired {
		p.idle = append(p.idle, r)
		p.out--
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	_ = r.tx.Rollback() // of a read transaction: it can't fail
	p.returned()
}

func (p *readers) returned() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out--
	if p.retired && p.out == 0 {
		close(p.drained)
	}
}

// retire ends the pool and waits until its last reader is back. Another must
// have been published in its place.
func (p *readers) retire() {
	p.mu.Lock()
	p.retired = true
	close(p.gone)
	idle := p.idle
	p.idle = nil
	if p.out == 0 {
		close(p.drained)
	}
	p.mu.Unlock()
	for _, r := range idle {
		_ = r.tx.Rollback() // of a read transaction: it can't fail
	}
	<-p.drained
}
