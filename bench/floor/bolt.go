package floor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"cairn/bench/load"
)

var bucket = []byte("entries")

// valueSize is about what a node index keeps beside a key.
const valueSize = 12

// Bolt is a bbolt file of entries in a temporary folder.
type Bolt struct {
	folder  string
	db      *bolt.DB
	entries int
}

// OpenBolt makes a file with entries in it.
func OpenBolt(entries int) (*Bolt, error) {
	folder, err := os.MkdirTemp("", "cairn-bench-")
	if err != nil {
		return nil, err
	}
	db, err := bolt.Open(filepath.Join(folder, "floor.db"), 0o600, &bolt.Options{NoSync: true, InitialMmapSize: 1 << 30})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	b := &Bolt{folder: folder, db: db, entries: entries}
	if err := b.fill(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Bolt) fill() error {
	value := make([]byte, valueSize)
	return b.db.Update(func(tx *bolt.Tx) error {
		entries, err := tx.CreateBucket(bucket)
		if err != nil {
			return err
		}
		entries.FillPercent = 0.7 // about what random insertion leaves
		for n := range b.entries {
			if err := entries.Put(load.Key(n), value); err != nil {
				return err
			}
		}
		return nil
	})
}

// readsACall is how many reads are timed together: a clock costs a tenth of a
// read.
const readsACall = 256

// Read is a caller that reads random keys through one transaction that it
// holds. Done ends the transaction.
func (b *Bolt) Read(seed uint64) (call load.Call, done func() error, err error) {
	tx, err := b.db.Begin(false)
	if err != nil {
		return nil, nil, err
	}
	entries := tx.Bucket(bucket)
	random := rand.New(rand.NewPCG(seed, 0))
	key := make([]byte, 0, 32)
	call = func(context.Context) (int, error) {
		for range readsACall {
			key = load.AppendKey(key[:0], random.IntN(b.entries))
			if entries.Get(key) == nil {
				return 0, fmt.Errorf("bbolt does not have %q", key)
			}
		}
		return readsACall, nil
	}
	return call, tx.Rollback, nil
}

// Close closes and removes the file.
func (b *Bolt) Close() error { return errors.Join(b.db.Close(), os.RemoveAll(b.folder)) }
