package nodeindex

import (
	"context"
	"encoding/binary"
	"maps"

	"cairn"
)

// keyTables are the tables of all keyspaces of a file. Nil: they are not kept.
type keyTables map[cairn.UID]*keyTable

// keyChanges are what a checkpoint changes in bucketEntries: first it drops the
// buckets of keyspaces that have left, then come the changes of keys.
type keyChanges struct {
	dropped    []cairn.UID
	byKeyspace map[cairn.UID][]keyChange
}

// with are the tables after a checkpoint's changes; nil if t is, or if they
// would take more than most bytes.
func (t keyTables) with(changes keyChanges, most int64) keyTables {
	if t == nil {
		return nil
	}
	next := maps.Clone(t)
	for _, uid := range changes.dropped {
		delete(next, uid)
	}
	for uid, of := range changes.byKeyspace {
		table := next[uid]
		if table == nil {
			table = newKeyTable(len(of), most, func(func(key, value []byte) bool) bool { return true })
		}
		if table = table.with(of, most); table == nil {
			return nil
		}
		if next[uid] = table; table.count == 0 {
			delete(next, uid)
		}
	}
	if next.bytes() > most {
		return nil
	}
	return next
}

func (t keyTables) bytes() (sum int64) {
	for _, table := range t {
		sum += table.bytes
	}
	return sum
}

// KeepKeys reads the file's keys into memory, from where Locate finds them
// from then on, unless they take more than Options.KeyBytes or are there
// already, as those of an index that was empty when it was opened are. It
// takes about a third of a second a million entries, in which no checkpoint is
// written; it gives up without an error when ctx ends. Any goroutine may call
// it. Errors: KindUnavailable (CLOSED), KindCorrupt, and those of Checkpoint.Write
// where one before has failed.
func (x *Index) KeepKeys(ctx context.Context) error {
	if x.options.KeyBytes < 0 {
		return nil
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	if err := x.settle(); err != nil {
		return err
	}
	s, r, err := x.acquire()
	if err != nil {
		return err
	}
	if s.readers.keys != nil {
		r.pool.release(r)
		return nil
	}
	keys, err := x.readKeys(ctx, s, r)
	r.pool.release(r)
	if err != nil || keys == nil {
		return err
	}
	pool, err := newReaders(x.db, keys, s.readers.index, s.readers.keep)
	if err != nil {
		return storageError("begin reading", err)
	}
	before := x.publish(func(s *state) { s.readers = pool })
	if before == nil {
		pool.retire()
		return errClosed
	}
	before.readers.retire()
	return nil
}

// readKeys are the tables of what a reader sees, nil if they are too large or
// ctx ends.
func (x *Index) readKeys(ctx context.Context, s *state, r *reader) (_ keyTables, err error) {
	defer panicOnFault(&err)()
	keys := make(keyTables)
	left := x.options.KeyBytes
	buckets := r.tx.Bucket(bucketEntries).Cursor()
	for name, _ := buckets.First(); name != nil; name, _ = buckets.Next() {
		uid := cairn.UID(binary.BigEndian.Uint64(name))
		cursor := r.keyspace(uid)
		expected, read := 0, 0
		if k := s.keyspaces[uid]; k != nil {
			expected = int(k.entries())
		}
		table := newKeyTable(expected, left, func(yield func(key, value []byte) bool) bool {
			for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
				if read++; read%4096 == 0 && ctx.Err() != nil {
					return false
				}
				if !yield(key, value) {
					return false
				}
			}
			return true
		})
		if table == nil {
			return nil, nil
		}
		keys[uid] = table
		left -= table.bytes
	}
	return keys, nil
}
