package daemon

import (
	"runtime/debug"
	"testing"
)

func TestTuneGC(t *testing.T) {
	const before = 123
	defer debug.SetGCPercent(debug.SetGCPercent(before))
	t.Setenv("GOGC", "50")
	tuneGC(t.Context())
	if got := debug.SetGCPercent(before); got != before {
		t.Errorf("with GOGC set it became %d; want it left alone", got)
	}
	t.Setenv("GOGC", "")
	tuneGC(t.Context())
	if got := debug.SetGCPercent(before); got != gcPercentFor(liveHeap()) {
		t.Errorf("without GOGC it became %d; want %d", got, gcPercentFor(liveHeap()))
	}
}

func TestGCPercent(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 400}, {100 << 20, 400}, {256 << 20, 400}, {512 << 20, 200}, {1 << 30, 100}, {1<<30 + 1, 75}, {8 << 30, 50}} {
		if got := gcPercentFor(c.live); got != c.want {
			t.Errorf("with %d MiB alive the heap may grow by %d%%; want %d", c.live>>20, got, c.want)
		}
	}
}
