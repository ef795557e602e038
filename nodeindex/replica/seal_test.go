package replica

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"

	wal "github.com/hashicorp/raft-wal"
)

// sealedTail leaves a log as a crash does between sealing a segment and
// starting the next one, and returns the last index and where the index
// stands in the file.
func sealedTail(t *testing.T, dir string) (info types.SegmentInfo, last, indexStart uint64) {
	t.Helper()
	meta := &metadb.BoltMetaDB{}
	if _, err := meta.Load(dir); err != nil {
		t.Fatal(err)
	}
	info = types.SegmentInfo{ID: 1, BaseIndex: 1, MinIndex: 1, Codec: wal.CodecBinaryV1, CreateTime: time.Now(), SizeLimit: 4 << 10}
	if err := meta.CommitState(types.PersistentState{NextSegmentID: 2, Segments: []types.SegmentInfo{info}}); err != nil {
		t.Fatal(err)
	}
	if err := meta.Close(); err != nil {
		t.Fatal(err)
	}
	writer, err := segment.NewFiler(dir, fs.New()).Create(info)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for sealed := false; !sealed; {
		var batch []types.LogEntry
		for range 3 {
			last++
			batch = append(batch, types.LogEntry{Index: last, Data: encodeEntry(t, last)})
		}
		if err := writer.Append(batch); err != nil {
			t.Fatal(err)
		}
		if sealed, indexStart, err = writer.Sealed(); err != nil {
			t.Fatal(err)
		}
	}
	return info, last, indexStart
}

// buffer is what the codec writes to.
type buffer struct{ bytes []byte }

func (b *buffer) Write(p []byte) (int, error) {
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}

func encodeEntry(t *testing.T, index uint64) []byte {
	t.Helper()
	var out buffer
	entry := &raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: fmt.Appendf(nil, "command %d", index)}
	if err := (&wal.BinaryCodec{}).Encode(entry, &out); err != nil {
		t.Fatal(err)
	}
	return out.bytes
}

// segmented is a Config of a log in a directory, completed.
func segmented(dir string, bytes int) Config {
	config, err := configure(dir).completed()
	if err != nil {
		panic(err) // there is nothing wrong with it
	}
	config.SegmentBytes = bytes
	return config
}

// continues opens the log, expects its entries up to last, and appends more
// than a segment, twice.
func continues(t *testing.T, dir string, last uint64) {
	t.Helper()
	for range 2 {
		s, err := openStore(segmented(dir, 4<<10), dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.LastIndex(); err != nil || got != last {
			t.Fatalf("the last entry is %d, %v; want %d", got, err, last)
		}
		for range 200 {
			last++
			entry := &raft.Log{Index: last, Term: 1, Type: raft.LogCommand, Data: fmt.Appendf(nil, "command %d", last)}
			if err := s.StoreLog(entry); err != nil {
				t.Fatalf("appending %d: %v", last, err)
			}
		}
		for index := uint64(1); index <= last; index++ {
			var entry raft.Log
			if err := s.GetLog(index, &entry); err != nil || string(entry.Data) != fmt.Sprintf("command %d", index) {
				t.Fatalf("entry %d is %q, %v", index, entry.Data, err)
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCrashBeforeTheNextSegment(t *testing.T) {
	dir := t.TempDir()
	_, last, _ := sealedTail(t, dir)
	continues(t, dir, last)
}

func TestCrashWithinTheSeal(t *testing.T) {
	dir := t.TempDir()
	info, last, indexStart := sealedTail(t, dir)
	// The index is torn: the batch that it was written with never was.
	file, err := os.OpenFile(filepath.Join(dir, segment.FileName(info)), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(int64(indexStart+511)/512*512), file.Truncate(4<<10)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	continues(t, dir, last-3)
}

// TestLogCutAtItsEnd removes entries that no majority got, more than once, and
// opens the log again: what is before and after them is there, and is so after
// a crash while the log was being put right.
func TestLogCutAtItsEnd(t *testing.T) {
	dir := t.TempDir()
	open := func() *store {
		s, err := openStore(segmented(dir, 1<<20), dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	terms := map[uint64]uint64{}
	write := func(first, last, term uint64) {
		for index := first; index <= last; index++ {
			if err := s.StoreLog(&raft.Log{Index: index, Term: term, Data: []byte("command")}); err != nil {
				t.Fatal(err)
			}
			terms[index] = term
		}
	}
	cut := func(first, last uint64) {
		if err := s.DeleteRange(first, last); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 10, 1)
	cut(6, 10)
	write(6, 9, 2)
	cut(8, 9)
	write(8, 12, 3)
	for round := range 3 {
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			forgetIndexes(t, dir)
		}
		s = open()
		for index, term := range terms {
			var entry raft.Log
			if err := s.GetLog(index, &entry); err != nil || entry.Term != term {
				t.Errorf("opened %d times, entry %d is of term %d, %v; want term %d", round+1, index, entry.Term, err, term)
			}
		}
		if _, last, err := s.bounds(); err != nil || last != 12 {
			t.Errorf("the log ends at %d, %v", last, err)
		}
	}
	write(13, 14, 4)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// forgetIndexes leaves a log as a crash does between writing indexes and noting
// where they are.
func forgetIndexes(t *testing.T, dir string) {
	t.Helper()
	meta := &metadb.BoltMetaDB{}
	state, err := meta.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	forgotten := 0
	for i := range state.Segments {
		if state.Segments[i].IndexStart != 0 {
			state.Segments[i].IndexStart = 0
			forgotten++
		}
	}
	if forgotten != 2 {
		t.Errorf("%d segments have an index; want 2", forgotten)
	}
	if err := errors.Join(meta.CommitState(state), meta.Close()); err != nil {
		t.Fatal(err)
	}
}
