package replica

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// batches is a segment of batches of up to three entries each, where each ends,
// and the index of its last entry.
func batches(t *testing.T, n int) (info types.SegmentInfo, path string, ends []int64, lasts []uint64) {
	t.Helper()
	dir := t.TempDir()
	info = types.SegmentInfo{ID: 1, BaseIndex: 5, MinIndex: 5, Codec: wal.CodecBinaryV1, SizeLimit: 1 << 20}
	path = filepath.Join(dir, segment.FileName(info))
	writer, err := segment.NewFiler(dir, fs.New()).Create(info)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	random := rand.New(rand.NewPCG(1, 1))
	last := info.BaseIndex - 1
	for range n {
		var entries []types.LogEntry
		for range 1 + random.IntN(3) {
			last++
			entries = append(entries, types.LogEntry{Index: last, Data: []byte(strings.Repeat("x", random.IntN(700)))})
		}
		if err := writer.Append(entries); err != nil {
			t.Fatal(err)
		}
		content, err := readWritten(path)
		if err != nil {
			t.Fatal(err)
		}
		found, err := scanSegment(info, content)
		if err != nil || found.last != last || found.unfinished || found.indexStart != 0 {
			t.Fatalf("after entry %d: %+v, %v", last, found, err)
		}
		ends, lasts = append(ends, found.end), append(lasts, last)
	}
	return info, path, ends, lasts
}

// TestScanSegment has the last batch lose sectors, which is what a crash does, and
// any batch change, which it does not.
func TestScanSegment(t *testing.T) {
	info, path, ends, lasts := batches(t, 300)
	written, err := readWritten(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(2, 2))
	for i := 0; i < len(ends); i += 1 + i/8 {
		content := append([]byte{}, written[:min(int(ends[i]), len(written))]...)
		start, before := int64(0), uint64(0)
		if i > 0 {
			start, before = ends[i-1], lasts[i-1]
		}
		// From some sector on nothing of the batch is there, or one sector is not.
		if from := (start + diskSector) / diskSector * diskSector; from < ends[i]-frameHeader {
			torn := append([]byte{}, content...)
			to := ends[i]
			if i%2 == 0 {
				to = from + diskSector
			}
			clear(torn[from:min(to, int64(len(torn)))])
			found, err := scanSegment(info, torn)
			if err != nil || found.last != before || !found.unfinished || found.end != start {
				t.Errorf("batch %d torn at %d: %+v, %v", i, from, found, err)
			}
		}
		bit := random.Int64N(8 * int64(len(content)))
		content[bit/8] ^= 1 << (bit % 8)
		if found, err := scanSegment(info, content); !errors.Is(err, types.ErrCorrupt) {
			t.Errorf("%d batches, bit %d of byte %d flipped: %+v, %v", i+1, bit%8, bit/8, found, err)
		}
	}
}

// TestWhatACrashLeavesIsRemoved has nothing of a batch that was being written stand
// behind those that are written next.
func TestWhatACrashLeavesIsRemoved(t *testing.T) {
	config := segmented(t.TempDir(), 64<<10)
	s, err := openStore(config, config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.StoreLog(&raft.Log{Index: 1, Term: 1, Data: []byte("command")}); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	tear(t, config.Dir)
	if s, err = openStore(config, config.Dir); err != nil {
		t.Fatal(err)
	}
	if last, err := s.LastIndex(); err != nil || last != 1 {
		t.Errorf("the last entry is %d, %v", last, err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(config.Dir, "*.wal"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	content, err := readWritten(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	found, err := scanSegment(types.SegmentInfo{BaseIndex: 1}, content)
	if err != nil || found.last != 1 || found.unfinished {
		t.Fatalf("%+v, %v", found, err)
	}
}
