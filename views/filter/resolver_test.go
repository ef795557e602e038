package filter

import (
	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// testIndex is a Resolver and Columns over a few entries, by scanning them.
type testIndex struct {
	t        *rapid.T
	schema   *cairn.Schema
	ordinals []uint32
	entries  []entry
	// given are the bitmaps handed out, each with what it was.
	given [][2]*roaring.Bitmap
	// scanned tells of attributes that were asked for whether they are.
	scanned map[cairn.AttributeID]bool
}

// drawIndex draws entries over several blocks.
func drawIndex(t *rapid.T, schema *cairn.Schema) *testIndex {
	x := &testIndex{t: t, schema: schema, scanned: map[cairn.AttributeID]bool{}}
	ordinal := uint32(0)
	for range rapid.IntRange(1, 12).Draw(t, "entries") {
		ordinal += rapid.SampledFrom([]uint32{1, 2, 65536, 30000}).Draw(t, "step")
		x.ordinals = append(x.ordinals, ordinal)
		x.entries = append(x.entries, drawEntry(t, schema))
	}
	return x
}

// some are the ordinals of the entries that pass a test.
func (x *testIndex) some(test func(e entry) bool) *roaring.Bitmap {
	out := roaring.New()
	for i, e := range x.entries {
		if test(e) {
			out.Add(x.ordinals[i])
		}
	}
	x.given = append(x.given, [2]*roaring.Bitmap{out, out.Clone()})
	if out.IsEmpty() {
		return nil
	}
	return out
}

// checkUnchanged fails if a plan changed a bitmap that is not its own.
func (x *testIndex) checkUnchanged() {
	for _, each := range x.given {
		if !each[0].Equals(each[1]) {
			x.t.Fatalf("%s became %s", each[1], each[0])
		}
	}
}

func (x *testIndex) name(id cairn.AttributeID) string {
	spec, found := x.schema.ByID(id)
	if !found || spec.Unindexed {
		x.t.Fatalf("asked for the bitmaps of attribute %d (%s)", id, spec.Name)
	}
	return spec.Name
}

func (x *testIndex) All() *roaring.Bitmap { return x.some(func(entry) bool { return true }) }

func (x *testIndex) Present(id cairn.AttributeID) *roaring.Bitmap {
	name := x.name(id)
	return x.some(func(e entry) bool { _, present := e[name]; return present })
}

func (x *testIndex) Equal(id cairn.AttributeID, value cairn.Value) *roaring.Bitmap {
	name := x.name(id)
	if x.Scans(id) {
		x.t.Fatal("a scanned attribute's value asked for as a bitmap")
	}
	return x.some(func(e entry) bool { v, present := e[name]; return present && v.Compare(value) == 0 })
}

func (x *testIndex) Range(id cairn.AttributeID, r Range, within *roaring.Bitmap) *roaring.Bitmap {
	name := x.name(id)
	if _, single := r.Single(); single && !x.Scans(id) {
		x.t.Fatal("a single value asked for as a range")
	}
	i := -1
	return x.some(func(e entry) bool {
		i++
		if within != nil && !within.Contains(x.ordinals[i]) {
			return !x.Scans(id) && rapid.Bool().Draw(x.t, "any answer")
		}
		v, present := e[name]
		return present && x.inside(r, v)
	})
}

func (x *testIndex) Scans(id cairn.AttributeID) bool {
	scans, known := x.scanned[id]
	if !known {
		scans = rapid.Bool().Draw(x.t, "scanned")
		x.scanned[id] = scans
	}
	return scans
}

// inside decides by the bounds, and holds them against Compare.
func (x *testIndex) inside(r Range, v cairn.Value) bool {
	var is bool
	switch r.Type() {
	case cairn.TypeString:
		low, high, bounded := r.Strings()
		is = v.Text() >= low && (!bounded || v.Text() < high)
	case cairn.TypeFloat:
		low, high := r.Floats()
		is = v.Float() >= low && v.Float() <= high
	case cairn.TypeTimestamp:
		low, high := r.Numbers()
		is = v.Time().UnixMicro() >= low && v.Time().UnixMicro() <= high
	case cairn.TypeBool:
		low, high := r.Numbers()
		is = v.Bool() && high == 1 || !v.Bool() && low == 0
	default:
		low, high := r.Numbers()
		is = v.Int() >= low && v.Int() <= high
	}
	if is != (r.Compare(v) == 0) {
		x.t.Fatalf("%v against %+v: inside %v, compares as %d", v, r, is, r.Compare(v))
	}
	return is
}

func (x *testIndex) Estimate(id cairn.AttributeID, r Range) uint64 {
	x.name(id)
	return uint64(rapid.IntRange(0, 10).Draw(x.t, "estimate"))
}

func (x *testIndex) value(id cairn.AttributeID, ordinal uint32) (cairn.Value, bool) {
	spec, _ := x.schema.ByID(id)
	for i, each := range x.ordinals {
		if each == ordinal {
			v, present := x.entries[i][spec.Name]
			return v, present
		}
	}
	x.t.Fatalf("asked for ordinal %d", ordinal)
	return cairn.Value{}, false
}

// matches tells whether an ordinal's value is in the leaf's one range.
func (x *testIndex) matches(l *Leaf, ordinal uint32) bool {
	v, present := x.value(l.Attribute().ID, ordinal)
	return present && len(l.Ranges()) == 1 && x.inside(l.Ranges()[0], v)
}

func (x *testIndex) Number(id cairn.AttributeID, ordinal uint32) (int64, bool) {
	v, present := x.value(id, ordinal)
	switch v.Type() {
	case cairn.TypeFloat:
		return bitsOf(v.Float()), present
	case cairn.TypeBool:
		if v.Bool() {
			return 1, present
		}
		return 0, present
	case cairn.TypeTimestamp:
		return v.Time().UnixMicro(), present
	default:
		return v.Int(), present
	}
}

func (x *testIndex) Text(id cairn.AttributeID, ordinal uint32) (string, bool) {
	v, present := x.value(id, ordinal)
	return v.Text(), present
}
