package changelog

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
)

// TestGivesUpWhatItCannotWrite: what can't be written is given up and said so;
// the log goes on from there.
func TestGivesUpWhatItCannotWrite(t *testing.T) {
	var lost []error
	l, err := Open(t.TempDir(), 0, Options{Lost: func(err error) { lost = append(lost, err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	l.Append(&Record{Kind: Changes, Keyspace: 1, Index: 1})
	l.Sync(1)
	if err := l.file.Close(); err != nil { // as a disk that fails
		t.Fatal(err)
	}
	l.Append(&Record{Kind: Changes, Keyspace: 1, Index: 2})
	l.Sync(2)
	if len(lost) != 1 {
		t.Fatalf("told %v, wanted that changes were lost, once", lost)
	}
	if _, _, err := l.Reader(1, 0).Read(2, 1000); !errors.Is(err, ErrGone) {
		t.Fatalf("what was given up: %v, wanted ErrGone", err)
	}
	l.Append(&Record{Kind: Changes, Keyspace: 1, Index: 3})
	l.Sync(3)
	records, _, err := l.Reader(1, 2).Read(3, 1000)
	if err != nil || len(records) != 1 || records[0].Index != 3 {
		t.Fatalf("after it: %v, %v, wanted the change of log index 3", records, err)
	}
}

// TestGivesUpWhileChangesCome: a change that comes while those before it are given
// up is either among them or kept, and the floor says which.
func TestGivesUpWhileChangesCome(t *testing.T) {
	l, err := Open(t.TempDir(), 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var appended atomic.Uint64
	var enough atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := uint64(1); !enough.Load(); i++ {
			l.Append(&Record{Kind: Changes, Keyspace: 1, Index: i})
			appended.Store(i)
		}
	}()
	for range 200 {
		l.writing.Lock()
		l.giveUp(errors.New("a disk that fails"))
		l.writing.Unlock()
		floor := l.Floor()
		for appended.Load() <= floor {
			runtime.Gosched()
		}
		records, _, err := l.Reader(1, floor).Read(floor+1, 1)
		if err != nil || len(records) != 1 || records[0].Index != floor+1 {
			t.Errorf("after the floor %d: %d records, %v; wanted the next", floor, len(records), err)
			break
		}
	}
	enough.Store(true)
	<-ended
}

// TestRestartIsAGap: a segment from before a restart that could not be removed is
// not taken for what comes before those since.
func TestRestartIsAGap(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir, 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.Append(&Record{Kind: Changes, Keyspace: 1, Index: 1})
	l.Sync(1)
	left := (&segment{number: 1}).path(dir)
	bytes, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	l.Restart(9)
	if err := os.WriteFile(left, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	l.Append(&Record{Kind: Changes, Keyspace: 1, Index: 10})
	l.Sync(10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = Open(dir, 10, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if floor := l.Floor(); floor != 9 {
		t.Errorf("kept from log index %d, wanted from the restart at 9", floor)
	}
	if names, err := filepath.Glob(filepath.Join(dir, "*"+suffix)); err != nil || len(names) != 1 {
		t.Errorf("%v are left, %v; wanted the segment since", names, err)
	}
}

// TestReadsWhatIsBeingWritten: what has been taken to be written, and is not in a
// file yet, is read all the same.
func TestReadsWhatIsBeingWritten(t *testing.T) {
	l, err := Open(t.TempDir(), 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.waits == 0
	}
	payload := make([]byte, 4*writeBytes)
	for i := uint64(1); i <= 50; i++ {
		l.Append(&Record{Kind: Changes, Keyspace: 1, Index: i, Payload: payload})
		for !taken() {
			runtime.Gosched()
		}
		if records, _, err := l.Reader(1, i-1).Read(i, 1); err != nil || len(records) != 1 {
			t.Fatalf("log index %d: %d records, %v; wanted its own", i, len(records), err)
		}
	}
}
