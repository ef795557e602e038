package daemon

import (
	"runtime/debug"
	"testing"
)

func TestTuneGC(t *testing.T) {
	const before = 123
	defer debug.SetGCPercent(debug.SetGCPercent(before))
	t.Setenv("GOGC", "50")
	tuneGC()
	if got := debug.SetGCPercent(before); got != before {
		t.Errorf("with GOGC set it became %d; want it left alone", got)
	}
	t.Setenv("GOGC", "")
	tuneGC()
	if got := debug.SetGCPercent(before); got != gcPercent {
		t.Errorf("without GOGC it became %d; want %d", got, gcPercent)
	}
}
