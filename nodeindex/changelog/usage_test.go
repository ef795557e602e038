package changelog

import (
	"os"
	"path/filepath"
	"testing"
)

// TestUsage holds what a log says of itself against its directory.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir, 3, Options{Bytes: 4096, SegmentBytes: 512})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if u := l.Usage(); u != (Usage{Floor: 3}) {
		t.Errorf("one without records says %+v", u)
	}
	payload := make([]byte, 100)
	for i := uint64(4); i <= 200; i++ {
		l.Append(&Record{Kind: Changes, Keyspace: 1, Index: i, Time: int64(1000 * i), Payload: payload})
		l.Sync(i)
	}
	var bytes int64
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Size()
	}
	u := l.Usage()
	if u.Bytes != bytes || bytes == 0 || bytes > 4096+512 {
		t.Errorf("%d bytes, and its files have %d; wanted the same, at most about 4096", u.Bytes, bytes)
	}
	// The oldest record that is kept is the first after the floor.
	if u.Floor <= 3 || u.Since != int64(1000*(u.Floor+1)) {
		t.Errorf("from log index %d on, of the time %d", u.Floor, u.Since)
	}
}
