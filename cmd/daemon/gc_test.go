package daemon

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTuneGC(t *testing.T) {
	const before = 123
	defer debug.SetGCPercent(debug.SetGCPercent(before))
	t.Setenv("GOGC", "50")
	TuneGC(t.Context())
	if got := debug.SetGCPercent(before); got != before {
		t.Errorf("with GOGC set it became %d; want it left alone", got)
	}
	t.Setenv("GOGC", "")
	TuneGC(t.Context())
	if got := debug.SetGCPercent(before); got != gcPercentFor(lastHeap()) {
		t.Errorf("without GOGC it became %d; want %d", got, gcPercentFor(lastHeap()))
	}
}

func TestGCPercent(t *testing.T) {
	for _, c := range []struct {
		live, scanned uint64
		want          int
	}{
		{0, 0, 400},
		{10 << 20, 1 << 20, 400},
		{100 << 20, 100 << 20, 400},
		{100 << 20, 50 << 20, 200},
		{100 << 20, 2 << 20, 50}, // a map of a million shards
		{64 << 20, 2 << 20, 100},
		{256 << 20, 256 << 20, 400},
		{512 << 20, 512 << 20, 200},
		{1 << 30, 1 << 30, 100},
		{1<<30 + 1, 1 << 30, 75},
		{8 << 30, 8 << 30, 50},
	} {
		if got := gcPercentFor(c.live, c.scanned); got != c.want {
			t.Errorf("with %d MiB alive, %d looked through, the heap may grow by %d%%; want %d", c.live>>20, c.scanned>>20, got, c.want)
		}
	}
}

// Nobody looks through what has no pointers.
func TestLastHeap(t *testing.T) {
	const size = 32 << 20
	without := make([]uint64, size/8)
	runtime.GC()
	live, before := lastHeap()
	if live < size {
		t.Fatalf("%d bytes are alive; want at least the %d that are held", live, size)
	}
	with := make([]*uint64, size/8)
	runtime.GC()
	if _, scanned := lastHeap(); scanned < size || before >= size {
		t.Errorf("%d bytes to look through with a large slice without pointers, %d with one of pointers beside it", before, scanned)
	}
	runtime.KeepAlive(without)
	runtime.KeepAlive(with)
}
