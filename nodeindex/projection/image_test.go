package projection

import (
	"fmt"
	"testing"
)

// TestImagesAmidArrival has a shard bring entries after an image: another is not
// written for each eighth that comes, but when no more comes.
func TestImagesAmidArrival(t *testing.T) {
	const seen, arriving = 200, 100
	o := newOwner(t, view(1, ""))
	first, second := o.newShard(), o.newShard()
	for ordinal := range uint32(seen) {
		o.put(first, ordinal, int(ordinal))
	}
	if missed := o.takeOver(o.add()); missed != 0 {
		t.Fatalf("missed %d", missed)
	}
	images := 0
	writeDue := func() {
		if o.projection.BeginImage() != nil {
			images++
			o.projection.EndImage(fmt.Sprintf("image %d", images))
		}
	}
	writeDue()
	o.projection.Gather(second)
	for ordinal := range uint32(arriving) {
		o.put(second, seen+ordinal, int(ordinal))
		writeDue()
	}
	if images != 1 {
		t.Fatalf("%d images, want the first alone while entries arrive", images)
	}
	o.projection.Settle(second)
	if writeDue(); images != 2 {
		t.Fatalf("%d images, want another with what has arrived", images)
	}
}
