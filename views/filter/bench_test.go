package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

var benchmarked = []struct{ name, expression string }{
	{"runways", `lighted && !closed && length >= 8000`},
	{"equal", `city == "city 3"`},
	{"in", `city in ["city 1", "city 3", "city 5", "city 7"] && lighted`},
	{"not", `!(city in ["city 1", "city 3"]) && length < 12000`},
	{"or", `(city == "city 1" || lighted) && (length < 1000 || width > 20 && width <= 30)`},
	{"prefix", `name.startsWith("entry 12") && has(depth)`},
}

func BenchmarkParse(b *testing.B) {
	schema := testSchema(b)
	long := "length in [" + strings.TrimSuffix(strings.Repeat("8000, 1, 77, ", 300), ", ") + "]"
	for _, each := range append(benchmarked, struct{ name, expression string }{"900 elements", long}) {
		b.Run(each.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(each.expression, schema, Where, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	schema := testSchema(b)
	random := rand.New(rand.NewPCG(1, 2))
	var encoded []cairn.Attributes
	for i := range 1024 {
		encoded = append(encoded, randomEntry(b, random, i).encode(b, schema))
	}
	for _, each := range benchmarked {
		f := mustParse(b, each.expression, Where)
		b.Run(each.name, func(b *testing.B) {
			b.ReportAllocs()
			i, matched := 0, 0
			for b.Loop() {
				if f.Match(encoded[i&1023]) {
					matched++
				}
				i++
			}
		})
	}
}

func randomEntry(b *testing.B, random *rand.Rand, i int) entry {
	text := func(s string) cairn.Value {
		v, err := cairn.String(s)
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	e := entry{
		"name":    text(fmt.Sprintf("entry %d", i)),
		"length":  cairn.Int(random.Int64N(16000)),
		"lighted": cairn.Bool(random.IntN(4) > 0),
		"closed":  cairn.Bool(random.IntN(10) == 0),
		"city":    text(fmt.Sprintf("city %d", random.IntN(10))),
		"width":   cairn.Int(random.Int64N(100)),
	}
	if random.IntN(2) == 0 {
		depth, err := cairn.Float(random.Float64())
		if err != nil {
			b.Fatal(err)
		}
		e["depth"] = depth
	}
	return e
}

// bitmapIndex is a Resolver with a bitmap a value of city, lighted and closed
// and one a hundred lengths and one a width.
type bitmapIndex struct {
	all     *roaring.Bitmap
	cities  map[string]*roaring.Bitmap
	bools   map[cairn.AttributeID][2]*roaring.Bitmap
	numbers map[cairn.AttributeID][]*roaring.Bitmap
	step    map[cairn.AttributeID]int64
}

func newBitmapIndex(entries uint32) *bitmapIndex {
	random := rand.New(rand.NewPCG(1, 2))
	x := &bitmapIndex{
		all: roaring.New(), cities: map[string]*roaring.Bitmap{},
		bools:   map[cairn.AttributeID][2]*roaring.Bitmap{4: {roaring.New(), roaring.New()}, 10: {roaring.New(), roaring.New()}},
		numbers: map[cairn.AttributeID][]*roaring.Bitmap{2: bitmaps(160), 8: bitmaps(100)},
		step:    map[cairn.AttributeID]int64{2: 100, 8: 1},
	}
	for city := range 10 {
		x.cities[fmt.Sprintf("city %d", city)] = roaring.New()
	}
	x.all.AddRange(0, uint64(entries))
	for i := range entries {
		x.cities[fmt.Sprintf("city %d", random.IntN(10))].Add(i)
		x.bools[4][min(1, random.IntN(4))].Add(i)
		x.bools[10][max(0, random.IntN(10)-8)].Add(i)
		x.numbers[2][random.IntN(160)].Add(i)
		x.numbers[8][random.IntN(100)].Add(i)
	}
	return x
}

func bitmaps(n int) []*roaring.Bitmap {
	out := make([]*roaring.Bitmap, n)
	for i := range out {
		out[i] = roaring.New()
	}
	return out
}

func (x *bitmapIndex) All() *roaring.Bitmap { return x.all }

func (x *bitmapIndex) Present(cairn.AttributeID) *roaring.Bitmap { return x.all }

func (x *bitmapIndex) Equal(id cairn.AttributeID, v cairn.Value) *roaring.Bitmap {
	switch v.Type() {
	case cairn.TypeString:
		return orEmpty(x.cities[v.Text()])
	case cairn.TypeBool:
		return x.bools[id][numberOf(v)]
	default:
		return x.numbers[id][v.Int()/x.step[id]]
	}
}

func (x *bitmapIndex) span(id cairn.AttributeID, r Range) []*roaring.Bitmap {
	low, high := r.Numbers()
	all := x.numbers[id]
	return all[max(0, low/x.step[id]):min(int64(len(all)), high/x.step[id]+1)]
}

func (x *bitmapIndex) Range(id cairn.AttributeID, r Range, within *roaring.Bitmap) *roaring.Bitmap {
	if within == nil {
		return roaring.FastOr(x.span(id, r)...)
	}
	out := within.Clone()
	out.AndAny(x.span(id, r)...)
	return out
}

func (x *bitmapIndex) Scans(cairn.AttributeID) bool { return false }

func (x *bitmapIndex) Estimate(id cairn.AttributeID, r Range) uint64 {
	if v, single := r.Single(); single {
		return x.Equal(id, v).GetCardinality()
	}
	var sum uint64
	for _, each := range x.span(id, r) {
		sum += each.GetCardinality()
	}
	return sum
}

func BenchmarkPlan(b *testing.B) {
	const entries = 1_000_000
	x := newBitmapIndex(entries)
	block, view := roaring.New(), roaring.New()
	block.AddRange(5<<16, 6<<16)
	for i := uint32(0); i < entries; i += 300 { // 0.33%, as a view's members
		view.Add(i)
	}
	for _, each := range benchmarked {
		if each.name == "prefix" {
			continue // the index has no names
		}
		plan := mustParse(b, each.expression, Where).Plan()
		for _, scope := range []struct {
			name   string
			within *roaring.Bitmap
		}{{"all", nil}, {"block", block}, {"view", view}} {
			b.Run(each.name+"/select/"+scope.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					plan.Select(x, scope.within)
				}
			})
			b.Run(each.name+"/count/"+scope.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					plan.Count(x, scope.within)
				}
			})
		}
	}
}
