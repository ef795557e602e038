package nodeindex

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn"
	"cairn/nodeindex/durable"
)

var testLabel = BackupLabel{Cluster: "north", UID: 7, Time: testTime}

// backedUp is an index with 300 entries and a backup of it.
func backedUp(t *testing.T) (r *replica, path string) {
	t.Helper()
	r = openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	for i := range 300 {
		r.write(put(testKey(i), size(int64(i))))
	}
	r.checkpoint()
	path = filepath.Join(t.TempDir(), "north.backup")
	written, err := r.x.WriteBackup(path, testLabel)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := fileSize(path); err != nil || size != written.Bytes || written.Index != r.index || written.BackupLabel != testLabel {
		t.Fatalf("wrote %+v, %d bytes, %v", written, size, err)
	}
	return r, path
}

func TestBackup(t *testing.T) {
	r, path := backedUp(t)
	read, err := ReadBackup(path)
	if err != nil || read.BackupLabel != testLabel || read.Index != r.index {
		t.Fatalf("%+v, %v", read, err)
	}
	report, err := Check(path)
	if err != nil || report.Backup == nil || report.Backup.BackupLabel != testLabel || report.Entries != 300 {
		t.Fatalf("%v\n%v", err, report)
	}
	if text := report.String(); !strings.Contains(text, "a backup of cluster north") {
		t.Errorf("the report does not say what it is of:\n%s", text)
	}

	dir := t.TempDir()
	extracted, report, err := ExtractBackup(durable.Disk{}, path, dir)
	if err != nil || extracted.BackupLabel != testLabel || extracted.Index != r.index || report.Entries != 300 {
		t.Fatalf("%+v, %v\n%v", extracted, err, report)
	}
	_, _, err = ExtractBackup(durable.Disk{}, path, dir)
	wantError(t, err, cairn.KindPrecondition, "INDEX_PRESENT")
	restored := &replica{t: t, dir: dir}
	restored.open(Options{})
	defer restored.close()
	for _, key := range []string{testKey(0), testKey(299), testKey(300)} {
		if mine, theirs := restored.locate(key), r.locate(key); mine.State != theirs.State || mine.Version != theirs.Version {
			t.Errorf("%s: %+v, was %+v", key, mine, theirs)
		}
	}
}

// TestDamagedBackup tears a backup off at every kind of place, and flips bits:
// nothing is made of it, and Check knows.
func TestDamagedBackup(t *testing.T) {
	_, path := backedUp(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	damaged := map[string][]byte{"empty": nil}
	tear := func(name string, length int) { damaged["torn "+name] = whole[:length] }
	tear("in the header", 100)
	tear("in the middle", len(whole)/2)
	tear("in the label", len(whole)-footerSize-10)
	tear("of a byte", len(whole)-1)
	tear("of the footer", len(whole)-footerSize)
	damaged["longer"] = append(append([]byte{}, whole...), 0)
	for range 50 {
		content := append([]byte{}, whole...)
		at := random.IntN(len(content))
		if random.IntN(4) == 0 {
			at = len(content) - 1 - random.IntN(200) // behind the pages
		}
		content[at] ^= 1 << random.IntN(8)
		damaged["flipped at "+strings.Repeat("#", len(damaged))] = content
	}
	bad := filepath.Join(t.TempDir(), "bad.backup")
	for name, content := range damaged {
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBackup(bad); cairn.KindOf(err) != cairn.KindCorrupt {
			t.Errorf("%s: read with %v", name, err)
		}
		if _, err := Check(bad); cairn.KindOf(err) != cairn.KindCorrupt {
			t.Errorf("%s: checked with %v", name, err)
		}
		dir := t.TempDir()
		if _, _, err := ExtractBackup(durable.Disk{}, bad, dir); cairn.KindOf(err) != cairn.KindCorrupt {
			t.Errorf("%s: extracted with %v", name, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %v, %v", name, left, err)
		}
	}
	if _, _, err := ExtractBackup(durable.Disk{}, filepath.Join(t.TempDir(), "none"), t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a backup that is not there: %v", err)
	}
}

// TestRebase has an index go on far beyond what it had: indexes that were jumped
// over are lost, over further checkpoints, snapshots and rebases.
func TestRebase(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	r.write(put("kept", size(1)))
	r.checkpoint()
	had := r.index
	rebase := func(to uint64) {
		t.Helper()
		if err := r.x.Rebase(CheckpointMeta{Index: to, Term: 9, Configuration: []byte("voters")}); err != nil {
			t.Fatal(err)
		}
		r.close()
		r.open(Options{})
	}
	rebase(1000)
	if meta := r.x.Checkpointed(); meta.Index != 1000 || meta.Term != 9 || string(meta.Configuration) != "voters" || !meta.Installed {
		t.Errorf("the checkpoint is %+v", meta)
	}
	expect := func(x *Index, lost bool, indexes ...uint64) {
		t.Helper()
		for _, index := range indexes {
			err := x.Lost(index)
			if lost {
				wantError(t, err, cairn.KindCorrupt, "DATA_LOSS")
			} else if err != nil {
				t.Errorf("index %d: %v", index, err)
			}
		}
	}
	expect(r.x, false, 0, 1, had, 1000, 1001, 5000)
	expect(r.x, true, had+1, 999)
	r.write(put("new", size(2)))
	if found := r.locate("new"); found.Version.Index != 1001 {
		t.Errorf("the next write got version %s", found.Version)
	}
	err := r.x.Rebase(CheckpointMeta{Index: 2000})
	wantError(t, err, cairn.KindInternal, "REBASE_INDEX")
	r.checkpoint()
	if meta := r.x.Checkpointed(); meta.Installed {
		t.Error("the checkpoint after it counts as installed")
	}
	rebase(2000)
	expect(r.x, false, had, 1000, 1001, 2000)
	expect(r.x, true, had+1, 999, 1002, 1999)
	follower := openReplica(t, Options{})
	follower.install(r.snapshot())
	expect(follower.x, true, had+1, 1999)
	if report, err := Check(r.dir); cairn.ReasonOf(err) != "DATA_DIR_IN_USE" {
		t.Errorf("%v %v", report, err)
	}
	r.close()
	report, err := Check(r.dir)
	if err != nil || len(report.Lost) != 2 || report.Entries != 2 {
		t.Errorf("%v\n%v", err, report)
	}
}
