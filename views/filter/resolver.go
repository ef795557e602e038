package filter

import (
	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Resolver gives the bitmaps that a plan is computed from: ordinals of a whole
// index or, if it stands for a part of one such as a block of 65,536, of that
// part only. All its bitmaps are of one state.
//
// A bitmap may be nil for none, and may be the Resolver's own: plans never
// change it. A bitmap that several goroutines read must not have
// copy-on-write turned on, since reading marks its containers.
type Resolver interface {
	// All are the ordinals of all entries.
	All() *roaring.Bitmap
	// Present are the ordinals of the entries that have the attribute.
	Present(attribute cairn.AttributeID) *roaring.Bitmap
	// Equal are the ordinals of the entries whose attribute, which is not
	// scanned, has the value; both zeros are one float.
	Equal(attribute cairn.AttributeID, value cairn.Value) *roaring.Bitmap
	// Range are the ordinals of the entries whose attribute has a value in
	// the range, which is not a single one unless the attribute is scanned. If
	// within is not nil, only its ordinals matter: of others the answer may
	// have any, but for an attribute that is scanned, where it has none.
	Range(attribute cairn.AttributeID, values Range, within *roaring.Bitmap) *roaring.Bitmap
	// Scans reports whether the attribute is scanned: its values have no bitmaps,
	// so that a range costs the less the fewer ordinals it is narrowed to.
	Scans(attribute cairn.AttributeID) bool
	// Estimate is about how many entries have a value in the range. It is
	// asked for each range of a plan and does not need to be exact.
	Estimate(attribute cairn.AttributeID, values Range) uint64
}
