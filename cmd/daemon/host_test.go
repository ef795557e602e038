package daemon

import (
	"testing"
	"time"
)

// TestLateness has maps come that concern a cluster, and such that do not.
func TestLateness(t *testing.T) {
	var l lateness
	began := time.Now()
	for _, step := range []struct {
		after    time.Duration
		concerns bool
		want     time.Duration
	}{
		{0, true, 0},
		{time.Second, false, notedLate},
		{time.Second + notedLate/4, false, notedLate * 3 / 4}, // another map, or another look
		{time.Second + notedLate, false, 0},
		{2 * time.Second, false, notedLate},
		{2*time.Second + notedLate/2, true, 0}, // has the one before noted with it
		{2*time.Second + notedLate/2, false, notedLate},
		{time.Minute, false, 0},
	} {
		if got := l.left(step.concerns, began.Add(step.after)); got != step.want {
			t.Errorf("after %s, concerns %t: %s, want %s", step.after, step.concerns, got, step.want)
		}
	}
}
