package projection

import (
	"testing"
	"time"

	"cairn"
)

// TestFillsThatFail are tried again after a second, then after twice as long each
// time, up to ten minutes, and at once where the definitions are others.
func TestFillsThatFail(t *testing.T) {
	o := newOwner(t, view(1, ""))
	want := time.Second
	for range 20 {
		f := o.projection.Fill()
		if f == nil {
			t.Fatal("no Fill is needed")
		}
		if pause := f.Failed(); pause != want {
			t.Fatalf("a pause of %s, want %s", pause, want)
		}
		o.now = o.now.Add(want - 1)
		if o.projection.Fill() != nil {
			t.Fatalf("tried again within %s", want)
		}
		o.now = o.now.Add(1)
		want = min(2*want, 10*time.Minute)
	}
	o.projection.Fill().Failed()
	o.projection.Define(o.schema, []cairn.View{view(1, ""), view(2, "")})
	o.put(o.newShard(), 1, 1)
	o.takeOver(o.add())
	o.check()

	// One that succeeds ends the series.
	o.projection.refill()
	if pause := o.projection.Fill().Failed(); pause != time.Second {
		t.Errorf("a pause of %s after a success", pause)
	}
}

// TestImageThatFails is no reason to wait: the entries are there.
func TestImageThatFails(t *testing.T) {
	o := newOwner(t, view(1, ""))
	o.projection.fill.image = "broken"
	if pause := o.projection.Fill().Failed(); pause != 0 || o.projection.Fill() == nil {
		t.Errorf("a pause of %s", pause)
	}
}
