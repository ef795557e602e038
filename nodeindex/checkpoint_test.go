package nodeindex

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/changelog"
)

// TestGrowth grows the file past its initial map, and past several more, while
// readers and writers go on.
func TestGrowth(t *testing.T) {
	r := openReplica(t, Options{MapBytes: 1 << 15})
	r.x.db.NoSync = true
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	mapped := r.x.mapped

	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	var reads, known atomic.Int64
	for n := range 2 {
		wait.Go(func() {
			var reply cairn.LocateReply
			for i := n; ctx.Err() == nil; i++ {
				have := int(known.Load())
				if have == 0 {
					continue
				}
				key := cairn.Key(testKey(i % have))
				err := r.x.Locate(&cairn.LocateRequest{Read: cairn.Read{Keyspace: testKeyspace}, WithAttributes: true, Keys: []cairn.Key{key}}, &reply)
				if err != nil || reply.Results[0].State != cairn.Found {
					t.Errorf("key %s: %+v, %v", key, reply.Results, err)
					return
				}
				reads.Add(1)
			}
		})
	}
	for round := range 8 {
		var c *Checkpoint
		written := make(chan error, 1)
		for batch := range 8 {
			var mutations []cairn.Mutation
			for i := range 500 {
				mutations = append(mutations, put(testKey((round*8+batch)*500+i), name(fmt.Sprintf("%0200d", i))))
			}
			r.write(mutations...)
			known.Add(500)
			if batch == 4 { // written while the writes go on
				frozen, err := r.x.Freeze()
				if err != nil {
					t.Fatal(err)
				}
				c = frozen
				index, term := c.Position()
				go func() { written <- c.Write(CheckpointMeta{Index: index, Term: term}) }()
			}
		}
		if err := <-written; err != nil {
			t.Fatal(err)
		}
	}
	stop()
	wait.Wait()
	if r.x.mapped < 8*mapped || reads.Load() == 0 {
		t.Fatalf("mapped %d, then %d bytes, %d reads", mapped, r.x.mapped, reads.Load())
	}
}

func TestCheckpointFails(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	fill := func(from int) {
		for i := from; i < from+2000; i++ {
			r.write(put(testKey(i), name(fmt.Sprintf("%0100d", i))))
		}
	}
	fill(0)
	first, err := r.x.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.x.Freeze(); err == nil {
		t.Fatal("two checkpoints at a time")
	} else {
		wantError(t, err, cairn.KindConflict, "CHECKPOINT_RUNNING")
	}
	wantError(t, first.Write(CheckpointMeta{}), cairn.KindInternal, "CHECKPOINT_INDEX")
	second, err := r.x.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	r.x.db.MaxSize = 1
	index, term := second.Position()
	wantError(t, second.Write(CheckpointMeta{Index: index, Term: term}), cairn.KindUnavailable, "STORAGE_FAILED")
	r.x.db.MaxSize = 0
	for _, i := range []int{0, 1999} {
		if got := r.locate(testKey(i)); got.State != cairn.Found {
			t.Fatalf("%d: %+v", i, got)
		}
	}
	fill(2000)
	wantError(t, second.Write(CheckpointMeta{Index: index, Term: term}), cairn.KindInternal, "CHECKPOINT_OVER")
	r.checkpoint()
	if n, _ := r.x.Pending(); n != 0 {
		t.Fatalf("%d entries pending", n)
	}
	r.close()
	r.open(Options{})
	if status := r.x.Status(); status.Entries != 4000 {
		t.Fatalf("%+v", status)
	}
}

// TestFailedCheckpointsLeaveNoLayers has checkpoints fail for a long time: what
// readers look through must not grow with the attempts.
func TestFailedCheckpointsLeaveNoLayers(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	r.write(put("k", size(1)))
	r.x.db.MaxSize = 1
	for i := range 100 {
		if i%2 == 0 {
			r.write(put("k", size(1)), put(testKey(i)))
		}
		c, err := r.x.Freeze()
		if err != nil {
			t.Fatal(err)
		}
		index, term := c.Position()
		if err := c.Write(CheckpointMeta{Index: index, Term: term}); err == nil {
			t.Fatal("written")
		}
	}
	if n := len(r.x.state.Load().frozen); n > maxLayers {
		t.Errorf("%d layers over the file", n)
	}
	r.x.db.MaxSize = 0
	r.write(put("k", size(2)), put("l"), remove("l"))
	r.checkpoint()
	if n, _ := r.x.Pending(); n != 0 {
		t.Errorf("%d entries pending", n)
	}
	if got := r.locate("k"); got.State != cairn.Found || got.Attributes.String() != "[2=2]" {
		t.Errorf("%+v", got)
	}
	if entries := r.x.Status().Entries; entries != 51 {
		t.Errorf("%d entries", entries)
	}
}

// TestDepartedAfterPutAnew deletes and puts a checkpointed key anew, so that it
// gets another ordinal, and sends its shard away before the next checkpoint:
// what the file had of it must not come to sight when the shard is back.
func TestDepartedAfterPutAnew(t *testing.T) {
	r := openReplica(t, Options{})
	owned := testAssignment(t, cairn.SchemeHash, 1)
	r.assign(owned)
	r.write(put("k", size(1)), put("l", size(1)))
	r.checkpoint()
	r.write(remove("k"), put("l", size(2)))
	r.write(put("k", size(2)))
	away := owned
	away.Revision, away.Shards = 20, nil
	r.assign(away)
	r.checkpoint()
	owned.Revision, owned.Shards[0].Epoch = 30, 30
	r.assign(owned)
	for _, key := range []string{"k", "l"} {
		if got := r.locate(key); got.State != cairn.Absent {
			t.Errorf("%s: %+v", key, got)
		}
	}
	r.write(put("k", size(3)), put("m"))
	r.checkpoint()
	if got := r.locate("k"); got.State != cairn.Found || got.Attributes.String() != "[2=3]" {
		t.Errorf("%+v", got)
	}
}

// TestBlocks has shards that are big enough for blocks of their own, splits
// and merges them, and lets one go.
func TestBlocks(t *testing.T) {
	for _, scheme := range []cairn.Scheme{cairn.SchemeHash, cairn.SchemeRange} {
		t.Run(scheme.String(), func(t *testing.T) {
			r := openReplica(t, Options{})
			r.x.db.NoSync = true
			a := testAssignment(t, scheme, 1)
			r.assign(a)
			const keys = 40_000
			var mutations []cairn.Mutation
			for i := range keys {
				mutations = append(mutations, put(testKey(i), size(int64(i))))
				if len(mutations) == 1000 {
					r.write(mutations...)
					mutations = mutations[:0]
				}
			}
			if blocks := r.x.state.Load().keyspaces[testKeyspace].shards[0].blocks; len(blocks) != 1 {
				t.Fatalf("blocks %v", blocks)
			}
			r.checkpoint()
			r.write(remove(testKey(7)), put(testKey(8), size(0)), put(testKey(keys)))

			// Split in two, twice; then merge; then one half leaves.
			middle := []byte{0x80, 0, 0, 0, 0, 0, 0, 0}
			if scheme == cairn.SchemeRange {
				middle = []byte(testKey(keys / 3))
			}
			left := cairn.Shard{Keyspace: testKeyspace, ID: 1, End: middle, Epoch: 11}
			right := cairn.Shard{Keyspace: testKeyspace, ID: 2, Start: middle, Epoch: 11}
			whole := cairn.Shard{Keyspace: testKeyspace, ID: 3, Epoch: 12}
			for i, shards := range [][]cairn.Shard{{left, right}, {whole}, {left, right}} {
				a.Revision = uint64(11 + i)
				a.Shards = shards
				r.assign(a)
				status := r.x.Status()
				if status.Entries != keys || len(status.Shards) != len(shards) || status.NodeEntries[1]+status.NodeEntries[2]+status.NodeEntries[3] != 2*keys {
					t.Fatalf("%d: %+v", i, status)
				}
				if len(shards) == 2 && status.Shards[0].Entries < keys/4 {
					t.Fatalf("%d: %+v", i, status)
				}
				if i == 1 {
					r.close()
					r.open(Options{}) // the log's tail is lost: as of the checkpoint
					r.assign(a)
					r.write(remove(testKey(7)), put(testKey(8), size(0)), put(testKey(keys)))
				}
			}
			a.Revision, a.Shards = 20, []cairn.Shard{right}
			r.assign(a)
			rest := r.x.Status().Entries
			if got := len(r.list("", "", 0).Entries); uint64(got) != min(rest, maxListEntries) || rest == 0 || rest > keys*3/4 {
				t.Fatalf("%d listed of %d", got, rest)
			}
			r.checkpoint()
			r.write(put(testKey(keys + 1)))
			r.checkpoint()
			r.close()
			report, err := Check(r.dir)
			if err != nil || report.Departed != 0 || report.Entries < rest {
				t.Fatalf("%v %v", report, err)
			}
		})
	}
}

func TestOrdinalsAreReusedAfterACheckpoint(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 1))
	ordinalOf := func(key string) uint32 {
		s := r.x.state.Load()
		return s.active.table(testKeyspace).get([]byte(key)).ordinal
	}
	r.write(put("a"))
	a := ordinalOf("a")
	r.write(remove("a"))
	r.write(put("b"))
	if ordinalOf("b") == a {
		t.Fatal("reused before a checkpoint covers the free")
	}
	r.checkpoint()
	r.write(put("c"))
	if ordinalOf("c") != a {
		t.Fatal("not reused after the checkpoint")
	}
}

func TestWaitAndWatch(t *testing.T) {
	r := openReplica(t, Options{FeedBytes: 2000, Changes: changelog.Options{Bytes: 2000, SegmentBytes: 200}})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	wantError(t, r.x.Wait(ctx, 10, 1), cairn.KindNotYet, "LOG_BEHIND")
	if _, err := r.x.Watch(testKeyspace, 0); err == nil {
		t.Fatal("watching what is not owned")
	}
	arrived := make(chan error, 1)
	go func() { arrived <- r.x.Wait(context.Background(), 10, 1) }()
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	if err := <-arrived; err != nil {
		t.Fatal(err)
	}

	w, err := r.x.Watch(testKeyspace, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan cairn.WatchBatch, 1)
	go func() {
		batch, err := w.Next(context.Background())
		if err != nil {
			t.Error(err)
		}
		got <- batch
	}()
	r.write(put("k", size(1)), put("k", size(2)), remove("none"))
	batch := <-got
	if len(batch.Changes) != 2 || batch.Index != 2 || batch.Changes[0].Before != nil ||
		batch.Changes[1].Before.Attributes.String() != "[2=1]" || batch.Changes[1].After.Attributes.String() != "[2=2]" ||
		!batch.Changes[1].Time.Equal(testTime) || batch.Changes[1].Stamp != (cairn.Stamp{Epoch: 10, Index: 2}) {
		t.Fatalf("%+v", batch)
	}
	r.apply(nil)
	if batch, err := w.Poll(); err != nil || len(batch.Changes) != 0 || batch.Index != 3 {
		t.Fatalf("heartbeat: %+v %v", batch, err)
	}
	_, err = w.Next(ctx)
	wantError(t, err, cairn.KindDeadline, "DEADLINE_EXCEEDED")
	r.checkpoint() // before-images come from the file too
	r.write(remove("k"))
	if batch, err := w.Poll(); err != nil || len(batch.Changes) != 1 || batch.Changes[0].After != nil || batch.Changes[0].Before.Attributes.String() != "[2=2]" {
		t.Fatalf("%+v %v", batch, err)
	}
	for i := range 50 {
		r.write(put(testKey(i)))
	}
	_, err = w.Poll()
	wantError(t, err, cairn.KindCompacted, "STAMP_COMPACTED")
	_, err = r.x.Watch(testKeyspace, 2)
	wantError(t, err, cairn.KindCompacted, "STAMP_COMPACTED")
	_, err = r.x.Watch(testKeyspace, 1000)
	wantError(t, err, cairn.KindNotYet, "LOG_BEHIND")

	if w, err = r.x.Watch(testKeyspace, 0); err != nil {
		t.Fatal(err)
	}
	r.assign(cairn.Assignment{Revision: 11})
	_, err = w.Poll()
	wantError(t, err, cairn.KindStale, "NOT_OWNED")

	x := r.x
	go func() { arrived <- x.Wait(context.Background(), 99, 99) }()
	r.close()
	wantError(t, <-arrived, cairn.KindUnavailable, "CLOSED")
	var reply cairn.LocateReply
	wantError(t, x.Locate(&cairn.LocateRequest{}, &reply), cairn.KindUnavailable, "CLOSED")
	if _, err := x.Freeze(); err == nil {
		t.Fatal("froze a closed index")
	}
}

// TestStampOfLaterFile has a reader be slow between looking how far the log is
// applied and reading: what it finds in the file is not older than it says.
func TestStampOfLaterFile(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 1))
	before, _ := r.x.Position()
	written := r.write(put("k", size(1)))[0]
	r.checkpoint()
	_, reader, least, err := r.x.acquireApplied(before)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.pool.release(reader)
	if before >= written.Stamp.Index || least != written.Stamp.Index {
		t.Errorf("the file is said to be of index %d, want %d; %d was applied before", least, written.Stamp.Index, before)
	}
}
