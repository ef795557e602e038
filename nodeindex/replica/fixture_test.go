package replica

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
)

// Directories that versions of Cairn wrote are kept under testdata/files, named
// by the format of the index's file, and must be opened by every later version.
// CAIRN_WRITE_FILES=name has this version write its own; where the name ends in
// "unsettled", as a crash between the transactions of a checkpoint leaves them.

const fixtureKeys = 300

// fixtureValue is what a key of the kept directories has, 0 for one that was
// deleted.
func fixtureValue(i int) int {
	switch {
	case i%7 == 3:
		return 0
	case i%5 == 1:
		return 2000 + i // written after the checkpoint
	}
	return 1000 + i
}

// fixtureMove is of a shard of another keyspace that is moving to the kept
// directories' index.
var fixtureMove = cairn.MovingShard{Move: 0x78, Keyspace: keyspace + 1, Shard: 1, Epoch: 5, Attempt: 1}

// stageFixture copies all of fixtureMove's shard.
func stageFixture(t *testing.T, to *Replica) {
	t.Helper()
	from, err := Open(configure(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAndCheck(t, from)
	a := assignment(t, 10)
	a.Keyspaces[0].UID, a.Shards[0].Keyspace = fixtureMove.Keyspace, fixtureMove.Keyspace
	if err := from.Assign(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for i := range fixtureKeys {
		request := put(i, fmt.Sprint("moving-", i))
		request.Keyspace = fixtureMove.Keyspace
		mustWrite(t, from, request)
	}
	err = from.CopyShard(t.Context(), fixtureMove, nil, func(part cairn.CopiedPart) error {
		_, err := to.StageShard(t.Context(), fixtureMove, part.Data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesOfEarlierVersions(t *testing.T) {
	kept, err := filepath.Glob("testdata/files/*.tar.gz")
	if err != nil || len(kept) == 0 {
		t.Fatalf("no kept directories: %v", err)
	}
	for _, path := range kept {
		t.Run(filepath.Base(path), func(t *testing.T) {
			dir := t.TempDir()
			unpack(t, path, dir)
			check(t, dir)
			r := open(t, configure(dir))
			for i := range fixtureKeys {
				n, found := find(t, r, cairn.Read{Level: cairn.Linearizable}, fmt.Sprint("key-", i))
				if want := fixtureValue(i); n != want || found != (want != 0) {
					t.Errorf("key-%d has %d, %v; want %d", i, n, found, want)
				}
			}
			if known, err := r.KnownMap(); err != nil || !strings.HasPrefix(filepath.Base(path), "format-4") && !strings.HasPrefix(filepath.Base(path), "format-5") && !reflect.DeepEqual(known.Records, assignment(t, 10).Records) {
				t.Errorf("known of the map: %+v, %v", known, err)
			}
			staged, err := r.StagedShard(t.Context(), fixtureMove)
			if err != nil || !staged.Complete || staged.Digest.Entries != fixtureKeys || staged.Sealed != 0 {
				t.Errorf("staged %+v, %v", staged, err)
			}
			if fence, err := r.ShardFence(t.Context(), movingShard); err != nil || fence.Number != 1 || fence.On {
				t.Errorf("the fence is %+v, %v", fence, err)
			}
			if _, err := os.Stat(filepath.Join(dir, keptBackup)); err == nil {
				judgeKept(t, r, dir)
			}
			mustWrite(t, r, put(1, "new"))
			if !r.checkpoint() {
				t.Error("no checkpoint can be taken")
			}
		})
	}
}

// keptBackup is the name of a backup beside the other files of a kept directory. The
// first that was kept has neither that, nor views, nor changes.
const keptBackup = "kept.backup"

// judgeKept looks at the views of a kept directory, at the changes that led to it,
// and at the backup of its checkpoint.
func judgeKept(t *testing.T, r *Replica, dir string) {
	t.Helper()
	list, err := r.List(t.Context(), &cairn.ListRequest{Read: cairn.Read{Keyspace: keyspace}, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[int64]int)
	first := list.Index
	for _, e := range list.Entries {
		n, _ := e.Attributes.Get(1)
		counts[n.Int()]++
		first = min(first, e.Version.Index)
	}
	if err := judgeView(t, r, list.Index, counts); err != nil {
		t.Error(err)
	}
	var changes int
	err = r.Watch(t.Context(), cairn.WatchRequest{Keyspace: keyspace, After: first - 1}, func(batch cairn.WatchBatch) error {
		if changes += len(batch.Changes); batch.Index >= list.Index {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || changes < fixtureKeys {
		t.Errorf("%d changes, %v", changes, err)
	}
	config := configure(t.TempDir())
	if _, _, err := nodeindex.ExtractBackup(durable.Disk{}, filepath.Join(dir, keptBackup), config.Dir); err != nil {
		t.Fatal(err)
	}
	if err := Restart(config, 1<<40); err != nil {
		t.Fatal(err)
	}
	restored := open(t, config)
	for i := range fixtureKeys {
		if n, _ := find(t, restored, cairn.Read{}, fmt.Sprint("key-", i)); n != 1000+i {
			t.Errorf("restored, key-%d has %d", i, n)
		}
	}
}

func TestWriteFiles(t *testing.T) {
	name := os.Getenv("CAIRN_WRITE_FILES")
	if name == "" {
		t.Skip("CAIRN_WRITE_FILES names no file")
	}
	config := configure(t.TempDir())
	config.SegmentBytes = 16 << 10
	config.Index.ImageEntries, config.Index.MapBytes, config.Index.KeysAtOnce = 20, 1<<15, 50
	var leave func() // called once, between transactions
	config.Index.Disk.Watch = func(e durable.Event) {
		if e.Step == durable.Settle && leave != nil {
			leave()
			leave = nil
		}
	}
	r, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assign(t.Context(), viewedAssignment(t, 10)); err != nil {
		t.Fatal(err)
	}
	for i := range fixtureKeys {
		mustWrite(t, r, put(1000+i, fmt.Sprint("key-", i)))
	}
	stageFixture(t, r)
	for _, on := range []bool{true, false} {
		if _, err := r.FenceShard(t.Context(), movingShard, 1, on); err != nil {
			t.Fatal(err)
		}
	}
	saved(t, r)
	mustWrite(t, r, put(1000, "key-0"))
	if err := r.checkpointNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	backup := backUp(t, r)
	for i := range fixtureKeys {
		key := fmt.Sprint("key-", i)
		switch value := fixtureValue(i); {
		case value == 0:
			mustWrite(t, r, &cairn.WriteRequest{Keyspace: keyspace, Mutations: []cairn.Mutation{{Operation: cairn.Delete, Key: cairn.Key(key)}}})
		case value != 1000+i:
			mustWrite(t, r, put(value, key))
		}
	}
	// As after a kill: what came after the checkpoint is in the log alone.
	dir := t.TempDir()
	left := func() {
		if err := os.CopyFS(dir, os.DirFS(config.Dir)); err != nil {
			t.Error(err)
		}
	}
	if strings.HasSuffix(name, "unsettled") {
		leave = left
		if err := r.checkpointNow(t.Context()); err != nil {
			t.Fatal(err)
		}
	} else {
		left()
	}
	if err := os.Rename(backup, filepath.Join(dir, keptBackup)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	pack(t, dir, filepath.Join("testdata/files", name+".tar.gz"))
}

// pack writes a directory's files into an archive.
func pack(t *testing.T, dir, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	compressed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(compressed)
	if err := errors.Join(archive.AddFS(os.DirFS(dir)), archive.Close(), compressed.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// unpack is pack's opposite.
func unpack(t *testing.T, path, dir string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	compressed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(header.Name))
		if header.Typeflag == tar.TypeDir {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err == nil {
			err = os.WriteFile(to, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
