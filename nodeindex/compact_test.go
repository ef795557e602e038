package nodeindex

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/durable"
)

// grown is a closed index whose file is mostly free pages, with 100 entries.
func grown(t *testing.T) *replica {
	t.Helper()
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	const entries = 20_000
	for first := 0; first < entries; first += 1000 {
		var mutations []cairn.Mutation
		for i := first; i < first+1000; i++ {
			mutations = append(mutations, put(testKey(i), name("something that takes some room"), size(int64(i))))
		}
		r.write(mutations...)
	}
	r.checkpoint()
	for first := 100; first < entries; first += 100 {
		var mutations []cairn.Mutation
		for i := first; i < first+100; i++ {
			mutations = append(mutations, remove(testKey(i)))
		}
		r.write(mutations...)
	}
	r.checkpoint()
	r.close()
	return r
}

func TestCompact(t *testing.T) {
	r := grown(t)
	for _, path := range []string{r.dir, filepath.Join(r.dir, FileName)} {
		had, err := fileSize(filepath.Join(r.dir, FileName))
		if err != nil {
			t.Fatal(err)
		}
		before, after, err := Compact(durable.Disk{}, path)
		if err != nil {
			t.Fatal(err)
		}
		now, err := fileSize(filepath.Join(r.dir, FileName))
		if err != nil || before != had || after != now || path == r.dir && after > before/4 {
			t.Errorf("compacted from %d bytes to %d; said %d and %d; %v", had, now, before, after, err)
		}
	}
	r.open(Options{})
	if got := r.list("", "", 1000); len(got.Entries) != 100 {
		t.Errorf("%d entries afterwards", len(got.Entries))
	}
	r.write(put(testKey(7_777), size(1)))
	r.checkpoint()
	if found := r.locate(testKey(7_777)); found.State != cairn.Found {
		t.Error("what was written afterwards is not there")
	}
}

func TestCompactRefuses(t *testing.T) {
	r := grown(t)
	r.open(Options{})
	_, _, err := Compact(durable.Disk{}, r.dir)
	wantError(t, err, cairn.KindUnavailable, "DATA_DIR_IN_USE")
	r.close()

	path := filepath.Join(r.dir, FileName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), FileName)
	for at := 3 * 4096; at < len(content); at += 4096 {
		content[at+100] ^= 0x40 // some of them are in use
	}
	if err := os.WriteFile(damaged, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Compact(durable.Disk{}, damaged); cairn.KindOf(err) != cairn.KindCorrupt {
		t.Errorf("a damaged file: %v", err)
	}
	left, err := os.ReadFile(damaged)
	if err != nil || string(left) != string(content) {
		t.Error("the damaged file was changed", err)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(damaged), "*")); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

// TestOpenDuringCompact has an index opened that waits for the lock of a file
// which Compact replaces meanwhile: it must not go on with the file that is gone.
func TestOpenDuringCompact(t *testing.T) {
	r := grown(t)
	path := filepath.Join(r.dir, FileName)
	holder, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := lockShared(holder, 0); err != nil { // as bbolt's, but for reading
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		x, err := Open(r.dir, Options{LockTimeout: 20 * time.Second})
		if err == nil {
			err = x.Close()
		}
		opened <- err
	}()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := path + compactedTag
	if err := os.WriteFile(other, content, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitOpened(t, path)
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, <-opened, cairn.KindUnavailable, "DATA_DIR_IN_USE")
}

// awaitOpened waits until this process has a file open twice for a while: what
// only looks at it is quick.
func awaitOpened(t *testing.T, path string) {
	t.Helper()
	const looks = 5
	for twice, deadline := 0, time.Now().Add(10*time.Second); twice < looks; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for the file")
		}
		open := 0
		files, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if to, err := os.Readlink(file); err == nil && to == path {
				open++
			}
		}
		if twice++; open < 2 {
			twice = 0
		}
	}
}
