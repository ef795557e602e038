package nodeindex

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cairn"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/durable/crashtest"
)

// snapshot is the content of a snapshot of the last checkpoint.
func (r *replica) snapshot() []byte {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "snapshot")
	written, err := r.x.WriteSnapshot(path)
	if err != nil {
		r.t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if int64(len(content)) != written.Bytes || written.Index != r.x.Checkpointed().Index {
		r.t.Fatalf("%d bytes, of %+v", len(content), written)
	}
	return content
}

// receive hands a snapshot's content over.
func (r *replica) receive(content []byte) (*Incoming, error) {
	r.t.Helper()
	in, err := r.x.Receive()
	if err != nil {
		r.t.Fatal(err)
	}
	for len(content) > 0 {
		n := min(len(content), 1000)
		if _, err := in.Write(content[:n]); err != nil {
			r.t.Fatal(err)
		}
		content = content[n:]
	}
	_, err = in.Finish()
	return in, err
}

func (r *replica) install(content []byte) {
	r.t.Helper()
	in, err := r.receive(content)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.x.Install(in); err != nil {
		r.t.Fatal(err)
	}
	r.index = r.x.Checkpointed().Index
	next, err := r.x.Receive()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := in.Discard(); err != nil { // after Install: nothing
		r.t.Error(err)
	}
	if _, err := os.Stat(next.path); err != nil {
		r.t.Errorf("the next snapshot to be received: %v", err)
	}
	if err := next.Discard(); err != nil {
		r.t.Error(err)
	}
}

// leaderAndFollower are two replicas with 100 entries, and what the second has
// to install to have 50 more and one less.
func leaderAndFollower(t *testing.T) (leader, follower *replica, content []byte) {
	t.Helper()
	leader, follower = openReplica(t, Options{}), openReplica(t, Options{})
	command, _ := leader.x.Diff(testAssignment(t, cairn.SchemeHash, 4))
	puts := func(first, last int) []byte {
		var mutations []cairn.Mutation
		for i := first; i < last; i++ {
			mutations = append(mutations, put(testKey(i), size(int64(i))))
		}
		return leader.x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: mutations}})
	}
	leader.apply(command)
	follower.apply(command)
	command = puts(0, 100)
	leader.apply(command)
	follower.apply(command)
	follower.checkpoint()
	leader.apply(puts(100, 150))
	leader.write(remove(testKey(7)))
	leader.checkpoint()
	return leader, follower, leader.snapshot()
}

// TestInstallCrashes goes on from what is left by a crash at each step of an
// install: the state before, or the snapshot that says that it was installed.
func TestInstallCrashes(t *testing.T) {
	leader, follower, content := leaderAndFollower(t)
	follower.write(put("a")) // no checkpoint has it
	before := follower.x.Checkpointed().Index
	recorder := crashtest.Record(t, follower.dir, 1, nil)
	follower.x.options.Disk = recorder.Disk()
	follower.install(content)
	moments := recorder.Moments()
	var left crashtest.States
	for _, point := range durable.Points() {
		if point.Step != durable.Receive && point.Step != durable.Install {
			continue
		}
		if moments[point] == nil {
			t.Fatalf("%s was never passed", point)
		}
		left.AddMoment(moments[point], 1, crashtest.Losses()...)
	}
	var olds, news atomic.Int64
	t.Run("states", func(t *testing.T) {
		left.Each(t, func(t *testing.T, dir string, _ int) {
			x, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			meta, entries := x.Checkpointed(), x.Status().Entries
			isOld := meta.Index == before && !meta.Installed && entries == 100
			isNew := meta.Index == leader.index && meta.Installed && string(meta.Configuration) == "voters" && entries == 149
			switch {
			case isOld == isNew:
				t.Errorf("%+v with %d entries", meta, entries)
			case isOld:
				olds.Add(1)
			case isNew:
				news.Add(1)
			}
			if _, err := os.Stat(filepath.Join(dir, incomingName)); err == nil {
				t.Error("what was received is left behind")
			}
			if err := x.Close(); err != nil {
				t.Error(err)
			}
			if report, err := Check(dir); err != nil {
				t.Errorf("%v\n%v", err, report)
			}
		})
	})
	if olds.Load() == 0 || news.Load() == 0 {
		t.Errorf("the state before was there %d times, the snapshot %d times", olds.Load(), news.Load())
	}
	follower.x.options.Disk = durable.Disk{}
	follower.write(put("d"))
	follower.checkpoint()
	if follower.x.Checkpointed().Installed {
		t.Error("a checkpoint was written since")
	}
	follower.close()
	follower.open(Options{})
	if meta := follower.x.Checkpointed(); meta.Installed {
		t.Errorf("opened again, %+v", meta)
	}
}

func TestSnapshotDamaged(t *testing.T) {
	_, follower, content := leaderAndFollower(t)
	refuse := func(what string, content []byte) {
		t.Helper()
		if _, err := follower.receive(content); cairn.KindOf(err) != cairn.KindCorrupt {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(filepath.Join(follower.dir, incomingName)); err == nil {
			t.Errorf("%s: the file is left behind", what)
		}
	}
	for at := 0; at < len(content); at += 997 {
		flipped := bytes.Clone(content)
		flipped[at] ^= 1 << (at % 8)
		refuse("a flipped bit", flipped)
	}
	for _, n := range []int{0, 1, trailerSize - 1, trailerSize, len(content) / 2, len(content) - trailerSize, len(content) - 1} {
		refuse("an end too early", content[:n])
	}
	refuse("a byte more", append(bytes.Clone(content), 0))
	if got := follower.x.Status().Entries; got != 100 {
		t.Errorf("%d entries", got)
	}
	follower.install(content)
	if got := follower.x.Status().Entries; got != 149 {
		t.Errorf("installed, %d entries", got)
	}
}

// TestSnapshotOfADamagedFile has a sender whose file is damaged where it does
// not notice: the checksum fits, and the pages are not what they should be.
func TestSnapshotOfADamagedFile(t *testing.T) {
	leader, follower, _ := leaderAndFollower(t)
	info, err := os.Stat(filepath.Join(leader.dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(leader.dir, FileName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// The first bytes of a page are its number.
	for at := int64(2 * os.Getpagesize()); at < info.Size(); at += int64(os.Getpagesize()) {
		if _, err := file.WriteAt([]byte{0xFF, 0xFF, 0xFF}, at); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	if _, err := leader.x.WriteSnapshot(path); err != nil {
		wantError(t, err, cairn.KindCorrupt, "FILE_DAMAGED")
	} else {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := follower.receive(content); cairn.KindOf(err) != cairn.KindCorrupt {
			t.Errorf("received: %v", err)
		}
	}
	if err := leader.x.Close(); err != nil {
		t.Error(err)
	}
	leader.x = nil // its file does not pass the check
}

func TestInstallRefuses(t *testing.T) {
	leader, follower, content := leaderAndFollower(t)
	in, err := follower.receive(content)
	if err != nil {
		t.Fatal(err)
	}
	for follower.index < leader.index {
		follower.apply(nil)
	}
	wantError(t, follower.x.Install(in), cairn.KindConflict, "SNAPSHOT_OLDER")
	in, err = follower.receive(content)
	if err != nil {
		t.Fatal(err)
	}
	x := follower.x
	follower.close()
	wantError(t, x.Install(in), cairn.KindUnavailable, "CLOSED")
	files, err := os.ReadDir(follower.dir)
	if err != nil || slices.ContainsFunc(files, func(f os.DirEntry) bool { return strings.Contains(f.Name(), "incoming") }) {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if _, err := x.WriteSnapshot(filepath.Join(t.TempDir(), "snapshot")); cairn.ReasonOf(err) != "CLOSED" {
		t.Errorf("a snapshot of a closed index: %v", err)
	}
}

// TestWatchOverAnInstall has watches from before an install hear that changes
// are missing, of a keyspace that has left meanwhile too.
func TestWatchOverAnInstall(t *testing.T) {
	leader, follower, content := leaderAndFollower(t)
	for _, left := range []bool{false, true} {
		if left {
			leader.assign(cairn.Assignment{Revision: 20})
			leader.checkpoint()
			content = leader.snapshot()
		}
		w, err := follower.x.Watch(testKeyspace, follower.index)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := w.Next(context.Background())
			ended <- err
		}()
		follower.install(content)
		wantError(t, <-ended, cairn.KindCompacted, "STAMP_COMPACTED")
		_, err = w.Poll()
		wantError(t, err, cairn.KindCompacted, "STAMP_COMPACTED")
		if left {
			_, err = follower.x.Watch(testKeyspace, 0)
			wantError(t, err, cairn.KindStale, "NOT_OWNED")
			continue
		}
		if w, err = follower.x.Watch(testKeyspace, 0); err != nil {
			t.Fatal(err)
		}
		command := leader.x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: []cairn.Mutation{put("new"), remove(testKey(120))}}})
		leader.apply(command)
		follower.apply(command)
		batch, err := w.Poll()
		if err != nil || len(batch.Changes) != 2 || batch.Index != follower.index || batch.Changes[1].Before.Attributes.String() != "[2=120]" {
			t.Errorf("after the install: %+v, %v", batch, err)
		}
	}
}

// TestReadsOverInstalls has every entry get one value with each command, which
// is the log index, and reads go on while a follower installs snapshots of
// that: an answer is of one command, and of the index that it says.
func TestReadsOverInstalls(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	leader := viewed(t, &a, cairn.View{Sort: []cairn.SortField{{Attribute: 2}}})
	follower := openReplica(t, Options{})
	const keys = 1000
	putAll := func() {
		var mutations []cairn.Mutation
		for i := range keys {
			mutations = append(mutations, put(testKey(i), size(int64(leader.index+1))))
		}
		leader.write(mutations...)
		leader.checkpoint()
	}
	putAll()
	follower.install(leader.snapshot())
	follower.settle()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	until := func(read func()) {
		running.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				read()
			}
		})
	}
	until(func() {
		var reply cairn.ListReply
		if err := follower.x.List(&cairn.ListRequest{Read: cairn.Read{Keyspace: testKeyspace}}, &reply); err != nil || len(reply.Entries) != keys {
			t.Errorf("listed %d: %v", len(reply.Entries), err)
		}
		for i := range reply.Entries {
			if n, _ := reply.Entries[i].Attributes.Get(2); uint64(n.Int()) != reply.Index {
				t.Errorf("an entry of %d in a list of %d", n.Int(), reply.Index)
				return
			}
		}
	})
	until(func() {
		var reply cairn.ViewReply
		req := cairn.ViewRequest{Read: cairn.Read{Keyspace: testKeyspace}, View: 1, Version: 1, Asked: cairn.AskGroups, Attributes: []cairn.AttributeID{2}}
		if err := follower.x.AskView(&req, &reply); err != nil {
			if cairn.ReasonOf(err) != "VIEW_BUILDING" {
				t.Error(err)
			}
			return
		}
		if len(reply.Groups) != 1 || reply.Groups[0].Count != keys || uint64(reply.Groups[0].Values[0].Int()) != reply.Index {
			t.Errorf("groups at %d: %+v", reply.Index, reply.Groups)
		}
	})
	until(func() {
		if err := follower.x.FillViews(ctx); err != nil {
			t.Error(err)
		}
		follower.x.Work()
	})
	until(func() {
		if err := follower.x.KeepKeys(ctx); err != nil {
			t.Error(err)
		}
	})
	until(func() {
		if err := follower.x.SaveViews(); err != nil {
			t.Error(err)
		}
	})
	for range 20 {
		putAll()
		follower.install(leader.snapshot())
	}
	stop()
	running.Wait()
	follower.settle()
	for _, asked := range []cairn.Asked{cairn.AskCount, cairn.AskGroups, cairn.AskAggregate} {
		req := cairn.ViewRequest{Asked: asked}
		if asked != cairn.AskCount {
			req.Attributes = []cairn.AttributeID{2}
		}
		leader.settle()
		mine, theirs := follower.mustAsk(req), leader.mustAsk(req)
		if mine.Count != theirs.Count || len(mine.Groups) != len(theirs.Groups) || mine.Aggregation.Count != theirs.Aggregation.Count {
			t.Errorf("%v: %+v, and the leader says %+v", asked, mine, theirs)
		}
	}
}

// TestSnapshotsWhileTheFileGrows writes snapshots, one after the other, of a
// file that grows past its map again and again: neither may keep the other.
func TestSnapshotsWhileTheFileGrows(t *testing.T) {
	r := openReplica(t, Options{MapBytes: 1 << 15})
	r.x.db.NoSync = true
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	r.checkpoint()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	path := filepath.Join(t.TempDir(), "snapshot")
	written := 0
	running.Go(func() {
		for ctx.Err() == nil {
			snapshot, err := r.x.WriteSnapshot(path)
			if err != nil {
				t.Error(err)
				return
			}
			if report, err := Check(path); err != nil || report.Index != snapshot.Index {
				t.Errorf("%+v: %v\n%v", snapshot, err, report)
				return
			}
			written++
		}
	})
	mapped := r.x.mapped
	for i := range 20 {
		var mutations []cairn.Mutation
		for j := range 500 {
			mutations = append(mutations, put(testKey(i*500+j), name(strings.Repeat("x", 200))))
		}
		r.write(mutations...)
		r.checkpoint()
	}
	stop()
	running.Wait()
	if r.x.mapped < 8*mapped || written == 0 {
		t.Fatalf("mapped %d, then %d bytes; %d snapshots", mapped, r.x.mapped, written)
	}
}
