package changelog

import (
	"errors"
	"runtime"
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
