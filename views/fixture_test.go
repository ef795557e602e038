package views

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"

	"github.com/RoaringBitmap/roaring/v2"
)

// The attributes of the benchmarks: three enums of four, three and three
// values, which is ten, two ints and a float. The numbers are as wide as they
// come: nanoseconds, any int, any float.
const (
	country cairn.AttributeID = iota + 1
	tier
	status
	balance
	created
	score
)

var benchSchema = func() *cairn.Schema {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: country, Name: "country", Type: cairn.TypeString},
		{ID: tier, Name: "tier", Type: cairn.TypeString},
		{ID: status, Name: "status", Type: cairn.TypeString},
		{ID: balance, Name: "balance", Type: cairn.TypeInt},
		{ID: created, Name: "created", Type: cairn.TypeInt},
		{ID: score, Name: "score", Type: cairn.TypeFloat},
	})
	if err != nil {
		panic(err)
	}
	return schema
}()

// The first and the last nanosecond of created, a year apart.
const (
	yearBegin = 1_767_225_600_000_000_000
	yearEnd   = yearBegin + 365*24*3_600*1_000_000_000
)

// createdAt and balanceAt are the values that a part of all entries are below.
func createdAt(part float64) int64 { return yearBegin + int64(part*(yearEnd-yearBegin)) }

func balanceAt(part float64) int64 { return int64((part - 0.5) * 2 * (math.MaxInt64 - 1024)) }

// benchAttributes are random. The country goes with created: each quarter of
// the year has one of its own.
func benchAttributes(random *rand.Rand) cairn.Attributes {
	at := yearBegin + random.Int64N(yearEnd-yearBegin)
	return encode(
		cairn.Attribute{ID: country, Value: text(fmt.Sprintf("c%d", 4*(at-yearBegin)/(yearEnd-yearBegin)))},
		cairn.Attribute{ID: tier, Value: text(fmt.Sprintf("t%d", random.IntN(3)))},
		cairn.Attribute{ID: status, Value: text(fmt.Sprintf("s%d", random.IntN(3)))},
		cairn.Attribute{ID: balance, Value: cairn.Int(int64(random.Uint64()))},
		cairn.Attribute{ID: created, Value: cairn.Int(at)},
		cairn.Attribute{ID: score, Value: float(random.NormFloat64())},
	)
}

func text(s string) cairn.Value {
	v, err := cairn.String(s)
	if err != nil {
		panic(err)
	}
	return v
}

func float(f float64) cairn.Value {
	v, err := cairn.Float(f)
	if err != nil {
		panic(err)
	}
	return v
}

func encode(values ...cairn.Attribute) cairn.Attributes {
	out, err := cairn.NewAttributes(values)
	if err != nil {
		panic(err)
	}
	return out
}

func benchKey(i int) cairn.Key {
	return cairn.Key(fmt.Sprintf("user:%015d", uint64(i)*0x9e3779b97f4a7c15%1_000_000_000_000_000))
}

func benchFilter(expression string, mode filter.Mode) *filter.Filter {
	f, err := filter.Parse(expression, benchSchema, mode, time.Unix(0, 0))
	if err != nil {
		panic(err)
	}
	return f
}

// Views of 12.9, 0.34 and 100 percent, which the projections have from the
// first entry on.
const (
	viewRecent cairn.UID = iota + 1
	viewRich
	viewAll
)

func benchDefinitions() []Definition {
	return []Definition{
		{View: viewRecent, Version: 1, Filter: benchFilter(fmt.Sprintf(`status == "s0" && balance < %d`, balanceAt(0.387)), filter.View), Sort: []SortField{{Attribute: created, Descending: true}}},
		{View: viewRich, Version: 1, Filter: benchFilter(fmt.Sprintf("balance >= %d", balanceAt(1-0.0034)), filter.View), Sort: []SortField{{Attribute: balance, Descending: true}}},
		{View: viewAll, Version: 1, Sort: []SortField{{Attribute: score}}},
	}
}

// The conditions: independent of the order, a part of it, both, a wide and a
// narrow range, and the beginning of another order.
var benchWheres = []string{`tier == "t1"`, `country == "c0"`, `country == "c0" && tier == "t1"`, "score > 0.0", "score > 3.7",
	fmt.Sprintf("created < %d", createdAt(0.001)), fmt.Sprintf("created < %d", createdAt(0.5))}

// benchViews are the projections of so many entries.
func benchViews(tb testing.TB, entries int, definitions []Definition) *Views {
	tb.Helper()
	v := New(benchSchema)
	for _, d := range definitions {
		if err := v.Define(d); err != nil {
			tb.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range entries {
		v.Put(uint32(i), cairn.ShardID(i%16), benchKey(i), benchAttributes(random))
	}
	return v
}

// withShards is the projections with shards that do not change any more.
func (r *Restored) withShards(shards map[cairn.ShardID]*roaring.Bitmap) (*Views, error) {
	r.SetShards(shards)
	return r.Views()
}
