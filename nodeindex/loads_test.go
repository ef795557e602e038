package nodeindex

import (
	"math"
	"testing"
	"time"

	"cairn"
)

// TestLoads counts what shards are asked, averages it, and gives it to those who take
// a shard's place.
func TestLoads(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	r := openReplica(t, Options{Now: func() time.Time { return now }})
	a := testAssignment(t, cairn.SchemeHash, 2)
	r.assign(a)
	r.x.MeasureLoads()
	const keys = 400
	for i := range keys {
		r.write(put(testKey(i), size(int64(i))))
	}
	for range 50 {
		for i := range keys {
			r.locate(testKey(i))
		}
	}
	now = now.Add(10 * time.Second)
	r.x.MeasureLoads()
	loads := func() (reads, writes float64) {
		for _, s := range r.x.Status().Shards {
			reads, writes = reads+s.Reads, writes+s.Writes
		}
		return reads, writes
	}
	// One look of ten seconds is that part of what is remembered.
	part := 1 - math.Exp(-10.0/60)
	reads, writes := loads()
	if want := part * keys / 10; math.Abs(writes-want) > 0.01*want {
		t.Errorf("%.2f writes a second, want %.2f", writes, want)
	}
	if want := part * 50 * keys / 10; reads < 0.8*want || reads > 1.2*want {
		t.Errorf("%.2f reads a second, want about %.2f: one request of %d is counted", reads, want, sampledOf)
	}
	for _, s := range r.x.Status().Shards {
		if s.Reads == 0 || s.Writes == 0 {
			t.Errorf("shard %s: %+v", s.Shard, s)
		}
	}

	// Merged, and split again.
	whole := a.Shards[0]
	whole.End, whole.Epoch = nil, 50
	merged := a
	merged.Revision, merged.Shards = 50, []cairn.Shard{whole}
	r.assign(merged)
	if mergedReads, mergedWrites := loads(); math.Abs(mergedReads-reads) > 1e-6 || math.Abs(mergedWrites-writes) > 1e-6 {
		t.Errorf("merged: %.2f and %.2f", mergedReads, mergedWrites)
	}
	left, right := a.Shards[0], a.Shards[1]
	left.Epoch, right.Epoch, right.ID = 60, 60, 77
	again := a
	again.Revision, again.Shards = 60, []cairn.Shard{left, right}
	r.assign(again)
	if splitReads, splitWrites := loads(); math.Abs(splitReads-reads) > 1e-6 || math.Abs(splitWrites-writes) > 1e-6 {
		t.Errorf("split: %.2f and %.2f", splitReads, splitWrites)
	}

	now = now.Add(5 * time.Minute)
	r.x.MeasureLoads()
	if reads, writes := loads(); reads > 5 || writes > 1 {
		t.Errorf("five idle minutes later: %.2f and %.2f", reads, writes)
	}
	r.x.MeasureLoads() // at once: nothing is divided by no time
	if reads, _ := loads(); math.IsNaN(reads) || math.IsInf(reads, 0) {
		t.Errorf("%f reads", reads)
	}
}
