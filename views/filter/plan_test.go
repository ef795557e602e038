package filter

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// rangesCounted counts how often a range is computed.
type rangesCounted struct {
	*bitmapIndex
	ranges int
}

func (x *rangesCounted) Range(id cairn.AttributeID, r Range, within *roaring.Bitmap) *roaring.Bitmap {
	x.ranges++
	return x.bitmapIndex.Range(id, r, within)
}

func asValue(t *testing.T, text string) cairn.Value {
	t.Helper()
	v, err := cairn.String(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var estimates = regexp.MustCompile(`: about \d+`)

// TestDescribe shows that a plan begins with the fewest.
func TestDescribe(t *testing.T) {
	x := newBitmapIndex(10_000)
	f := mustParse(t, `lighted && (closed || width < 5) && length == 700 && city != "city 1" && note == "x"`, Where)
	want := strings.TrimPrefix(`
all of
  length == 700
  any of
    closed
    width < 5
  lighted
  city != "city 1" (by what it excludes)
then test each, since an attribute without an index is asked for
`, "\n")
	if got := estimates.ReplaceAllString(f.Plan().Describe(x), ""); got != want {
		t.Errorf("%s\nand not\n%s", got, want)
	}
	if got, most := f.Plan().Select(x, nil).GetCardinality(), f.Plan().Estimate(x); got > most || got == 0 {
		t.Errorf("%d found, at most %d estimated", got, most)
	}
}

// TestEmptyEndsAnAnd shows that nothing is computed after nothing was found.
func TestEmptyEndsAnAnd(t *testing.T) {
	x := newBitmapIndex(1000)
	f := mustParse(t, `city == "nowhere" && width < 5`, View)
	counted := &rangesCounted{bitmapIndex: x}
	if got := f.Plan().Select(counted, nil); !got.IsEmpty() || f.Plan().Count(counted, nil) != 0 {
		t.Errorf("found %s", got)
	}
	if counted.ranges != 0 {
		t.Errorf("%d ranges computed", counted.ranges)
	}
	if f.Plan().Select(counted, x.Equal(7, asValue(t, "city 1"))); counted.ranges != 0 {
		t.Errorf("%d ranges computed", counted.ranges)
	}
}

// scanning is an index whose widths and lengths have no bitmaps.
type scanning struct{ *rangesCounted }

func (x scanning) Scans(id cairn.AttributeID) bool { return id == 2 || id == 8 }

// TestColumnsAreScannedLast shows that what has bitmaps leaves less to scan,
// however few a scan would leave, and that a scan is left to the caller who can
// do without its bitmap.
func TestColumnsAreScannedLast(t *testing.T) {
	x := scanning{&rangesCounted{bitmapIndex: newBitmapIndex(10_000)}}
	f := mustParse(t, `width < 5 && lighted && city == "city 1"`, View)
	if got, want := estimates.ReplaceAllString(f.Plan().Describe(x), ""), "all of\n  city == \"city 1\"\n  lighted\n  width < 5\n"; got != want {
		t.Errorf("%s\nand not\n%s", got, want)
	}
	rest, left := f.Plan().Narrow(x, x.All())
	if want := mustParse(t, `lighted && city == "city 1"`, View).Plan().Select(x, nil); !rest.Equals(want) || x.ranges != 0 {
		t.Errorf("%d ranges made; what is left to scan is %d ordinals, not %d", x.ranges, rest.GetCardinality(), want.GetCardinality())
	}
	if len(left) != 1 || left[0].String() != "width < 5" {
		t.Errorf("left to scan: %v", left)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	x := newBitmapIndex(200_000)
	attributes := entry{"city": asValue(t, "city 3")}.encode(t, testSchema(t))
	for _, each := range benchmarked[:5] {
		f := mustParse(t, each.expression, Where)
		counts := make([]uint64, 4)
		var group sync.WaitGroup
		for i := range counts {
			group.Go(func() {
				f.Match(attributes)
				f.Explain(attributes)
				counts[i] = f.Plan().Count(x, nil)
				if found := f.Plan().Select(x, x.All()).GetCardinality(); found != counts[i] {
					t.Errorf("%s: %d found and %d counted", f, found, counts[i])
				}
			})
		}
		group.Wait()
		for _, count := range counts {
			if count != counts[0] {
				t.Errorf("%s: %v", f, counts)
			}
		}
	}
}
