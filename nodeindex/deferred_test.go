package nodeindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"

	"cairn"
	"cairn/nodeindex/durable"

	"go.etcd.io/bbolt"
)

// halfWay is a replica whose last checkpoint was given up after so many of its later
// transactions, and what its entries are.
func halfWay(t *testing.T, settled int, keyBytes int64) (r *replica, entries map[string]cairn.Entry) {
	t.Helper()
	left := &atomic.Int64{}
	left.Store(-1)
	r = openReplica(t, Options{KeysAtOnce: 10, KeyBytes: keyBytes, Disk: durable.Disk{Watch: func(e durable.Event) {
		isLast := e.Done && (e.Step == durable.Checkpoint || e.Step == durable.Settle)
		if isLast && left.Add(-1) == -1 {
			r.x.interrupted.Store(true)
		}
	}}})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	for i := range 200 {
		r.write(put(testKey(i), size(int64(i))))
	}
	r.checkpoint()
	for i := range 300 {
		switch i % 4 {
		case 0:
			r.write(put(testKey(i), size(int64(-i)), name("changed")))
		case 1:
			r.write(remove(testKey(i)))
		}
	}
	entries = r.entries()
	c, err := r.x.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	index, term := c.Position()
	left.Store(int64(settled))
	wantError(t, c.Write(CheckpointMeta{Index: index, Term: term}), cairn.KindUnavailable, "CLOSED")
	r.x.interrupted.Store(false)
	left.Store(-1)
	if settled, err := isSettled(r.x.db); err != nil || settled {
		t.Fatalf("the file is settled: %v, %v", settled, err)
	}
	return r, entries
}

// wantEntries compares what is listed, and what is located, with what should be.
func (r *replica) wantEntries(want map[string]cairn.Entry) {
	r.t.Helper()
	if got := r.entries(); !reflect.DeepEqual(got, want) {
		r.t.Errorf("%d entries are listed, or others; want %d", len(got), len(want))
	}
	for i := range 300 {
		got := r.locate(testKey(i))
		entry, has := want[testKey(i)]
		if has != (got.State == cairn.Found) || has && !reflect.DeepEqual(got.Attributes, entry.Attributes) {
			r.t.Errorf("%s: %+v", testKey(i), got)
		}
	}
}

// copied are the entries that movers get of all shards.
func (r *replica) copied() map[string]cairn.Entry {
	r.t.Helper()
	out := map[string]cairn.Entry{}
	for id := range cairn.ShardID(4) {
		m := cairn.MovingShard{Move: 9, Keyspace: testKeyspace, Shard: id + 1, Epoch: 1}
		for _, s := range r.x.state.Load().keyspaces[testKeyspace].shards {
			if s.ID == m.Shard {
				m.Epoch, m.Start, m.End = s.Epoch, s.Start, s.End
			}
		}
		for part := (cairn.CopiedPart{}); !part.Done; {
			var err error
			if part, err = r.x.CopyShard(m, part.Last); err != nil {
				r.t.Fatal(err)
			}
			all, refusal := pieces(part.Data)
			if refusal != nil {
				r.t.Fatal(refusal)
			}
			for _, encoded := range all {
				d := decoder{rest: encoded}
				for _, c := range d.piece().changes {
					out[string(c.Key)] = c.Entry
				}
			}
		}
	}
	return out
}

// asLeft is a directory with the file as a loss of power would leave it now.
func (r *replica) asLeft() string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.dir, FileName))
	if err != nil {
		r.t.Fatal(err)
	}
	dir := r.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), content, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return dir
}

// TestACheckpointThatEndsHalfWay gives a checkpoint up between its transactions: what is
// served stays right, whatever is done then, and so is what the file says, once it is
// opened.
func TestACheckpointThatEndsHalfWay(t *testing.T) {
	for _, settled := range []int{0, 1, 5} {
		for _, keyBytes := range []int64{0, -1} {
			t.Run(fmt.Sprintf("after %d with keys of %d", settled, keyBytes), func(t *testing.T) {
				r, want := halfWay(t, settled, keyBytes)
				r.wantEntries(want)
				if got := r.copied(); !reflect.DeepEqual(got, want) {
					t.Errorf("%d entries are copied, or others; want %d", len(got), len(want))
				}

				dir := r.asLeft()
				if report, err := Check(dir); err != nil || report.Entries != uint64(len(want)) {
					t.Errorf("as a crash leaves it: %v\n%v", err, report)
				}
				if _, _, err := Compact(durable.Disk{}, dir); err != nil {
					t.Errorf("as a crash leaves it: %v", err)
				}
				for _, dir := range []string{dir, r.asLeft()} {
					again := &replica{t: t, dir: dir}
					again.open(Options{})
					if again.index != r.index {
						t.Errorf("opened at log index %d, want %d", again.index, r.index)
					}
					again.wantEntries(want)
					again.close()
				}

				switch settled {
				case 0:
					if err := r.x.KeepKeys(t.Context()); err != nil {
						t.Error(err)
					}
				case 1:
					path := filepath.Join(t.TempDir(), "snapshot")
					if snapshot, err := r.x.WriteSnapshot(path); err != nil || snapshot.Index != r.index {
						t.Fatalf("%+v, %v", snapshot, err)
					}
					content, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					follower := openReplica(t, Options{})
					follower.install(content)
					follower.wantEntries(want)
				}
				r.wantEntries(want)
				r.checkpoint()
				r.wantEntries(want)
				if n, _ := r.x.Pending(); n != 0 {
					t.Errorf("%d entries pending", n)
				}
			})
		}
	}
}

// TestDeferredChangesThatAreDamaged are found by who checks the file, and by who opens it.
func TestDeferredChangesThatAreDamaged(t *testing.T) {
	r, _ := halfWay(t, 0, 0)
	dir := r.asLeft()
	db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		first := binary.BigEndian.AppendUint32(nil, 0)
		item := append([]byte(nil), tx.Bucket(bucketDeferred).Get(first)...)
		item[20] ^= 1
		return tx.Bucket(bucketDeferred).Put(first, item)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Check(dir)
	wantError(t, err, cairn.KindCorrupt, "DEFERRED_DAMAGED")
	_, err = Open(dir, Options{})
	wantError(t, err, cairn.KindCorrupt, "DEFERRED_DAMAGED")
}
