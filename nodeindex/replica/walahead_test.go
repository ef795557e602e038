package replica

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft-wal/fs"

	"cairn/nodeindex/durable"
)

// TestZerosAheadOverwriteNothing: appends of all sizes, some behind a reopening that
// finds what a crash has left, stay as they are, with zeros behind them.
func TestZerosAheadOverwriteNothing(t *testing.T) {
	const size = 12 << 20
	dir, name := t.TempDir(), "segment.wal"
	files := walFiles{fs.New(), durable.Disk{}}
	file, err := files.Create(dir, name, size)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var want []byte
	for len(want) < size-aheadBytes {
		n := 1 + random.IntN(1<<(1+random.IntN(20)))
		data := bytes.Repeat([]byte{1 + byte(random.IntN(255))}, min(n, size-len(want)))
		if _, err := file.WriteAt(data, int64(len(want))); err != nil {
			t.Fatal(err)
		}
		want = append(want, data...)
		if random.IntN(4) == 0 {
			if err := file.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		if random.IntN(20) == 0 {
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			unfinished(t, filepath.Join(dir, name), int64(len(want)))
			if file, err = files.OpenWriter(dir, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != size {
		t.Fatalf("the file has %d bytes, want %d", len(got), size)
	}
	if !bytes.Equal(got[:len(want)], want) {
		t.Error("what was appended is not what is there")
	}
	if rest := bytes.Trim(got[len(want):], "\x00"); len(rest) > 0 {
		t.Errorf("%d bytes behind the end are not zero", len(rest))
	}
}

// unfinished leaves a little of a write at the end.
func unfinished(t *testing.T, path string, end int64) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte{1, 2, 3}, end); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestZerosAheadMayFail: a disk without room for them takes appends as before.
func TestZerosAheadMayFail(t *testing.T) {
	a := writtenAhead{path: filepath.Join(t.TempDir(), "not there"), size: 4 * aheadBytes}
	for end := int64(100); end < a.size; end += aheadBytes / 3 {
		a.before(end)
		a.after(end)
		a.wait()
	}
	if !a.failed || a.filling != nil {
		t.Errorf("failed: %t, filling: %t", a.failed, a.filling != nil)
	}
}
