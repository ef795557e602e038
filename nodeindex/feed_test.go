package nodeindex

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"cairn"
)

// TestBatchRevision has a watcher that lags: the revision of a batch must not
// be newer than its changes, for who follows a former owner stops at the first
// batch whose revision says that it no longer owns anything.
func TestBatchRevision(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 1))
	w, err := r.x.Watch(testKeyspace, 1)
	if err != nil {
		t.Fatal(err)
	}
	long := name(strings.Repeat("x", 4000))
	for i := range 700 { // almost three batches
		r.write(put(testKey(i), long))
	}
	newer := testAssignment(t, cairn.SchemeHash, 1)
	newer.Revision, newer.Shards[0].Epoch = 20, 20
	r.assign(newer)
	noted := r.index
	for batches := 1; ; batches++ {
		batch, err := w.Poll()
		if err != nil {
			t.Fatal(err)
		}
		if batch.Revision >= 20 && batch.Index < noted-1 {
			t.Fatalf("a batch up to index %d says revision %d, which index %d brought", batch.Index, batch.Revision, noted)
		}
		if batch.Index == noted {
			if batch.Revision != 20 || batches < 3 {
				t.Fatalf("batch %d, the last, has revision %d", batches, batch.Revision)
			}
			return
		}
	}
}

// TestPositionRevision looks at the position while writes and assignments are
// applied: the revision must not come from after the index.
func TestPositionRevision(t *testing.T) {
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeHash, 1)
	r.assign(a)
	const rounds = 20_000
	// Revision 10+n is brought by index 1+2n.
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan string, 1)
	go func() {
		for ctx.Err() == nil {
			applied, revision := r.x.Position()
			if brought := 1 + 2*(revision-10); applied+1 < brought {
				ended <- fmt.Sprintf("index %d with revision %d, which index %d brought", applied, revision, brought)
				return
			}
		}
		ended <- ""
	}()
	for range rounds {
		r.apply(nil)
		a.Revision++
		r.assign(a)
	}
	stop()
	if wrong := <-ended; wrong != "" {
		t.Fatal(wrong)
	}
}

// TestFeedMemory joins large writes of one keyspace and small ones of another
// in the same commands: what is kept of the small ones must not keep the large
// ones in memory.
func TestFeedMemory(t *testing.T) {
	r := openReplica(t, Options{FeedBytes: 256 << 10})
	r.x.db.NoSync = true
	const quiet cairn.UID = 0x2222
	a := testAssignment(t, cairn.SchemeHash, 1)
	second := a.Keyspaces[0]
	second.UID, second.Name = quiet, "quiet"
	a.Keyspaces = append(a.Keyspaces, second)
	a.Shards = append(a.Shards, cairn.Shard{Keyspace: quiet, ID: 1, Epoch: 10})
	r.assign(a)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	long := name(strings.Repeat("x", 4000))
	for n := range 60 {
		large := &cairn.WriteRequest{Keyspace: testKeyspace}
		for i := range 250 {
			large.Mutations = append(large.Mutations, put(testKey(i), long))
		}
		small := &cairn.WriteRequest{Keyspace: quiet, Mutations: []cairn.Mutation{put(testKey(n))}}
		if result := r.apply(r.x.Prepare(testTime, []*cairn.WriteRequest{large, small})); result.Err != nil {
			t.Fatal(result.Err)
		}
		if n%20 == 19 {
			r.checkpoint()
		}
	}
	if kept := heap() - before; kept > 20<<20 {
		t.Errorf("%d MiB are kept, for feeds of 256 KiB", kept>>20)
	}
	if status := r.x.Status(); status.Entries != 310 {
		t.Errorf("%d entries", status.Entries)
	}
}
