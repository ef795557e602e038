package projection

import "github.com/RoaringBitmap/roaring/v2"

// imageState is what is known of the image that a restart can begin with.
type imageState struct {
	// dirty are the ordinals that have changed since the image was of, nil
	// while there is none.
	dirty *roaring.Bitmap
}

func (i *imageState) changed(ordinal uint32) {
	if i.dirty != nil {
		i.dirty.Add(ordinal)
	}
}

// forget is for projections made anew: no image is of them.
func (i *imageState) forget() { i.dirty = nil }
