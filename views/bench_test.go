package views

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"
)

// The attributes of the benchmarks: three enums of four, three and three
// values, which is ten, two ints and a float.
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

// Views of 12.9, 0.34 and 100 percent. The country goes with created: the
// latest quarter has a value of its own.
const (
	viewRecent cairn.UID = iota + 1
	viewRich
	viewAll
)

func benchFilter(expression string, mode filter.Mode) *filter.Filter {
	f, err := filter.Parse(expression, benchSchema, mode, time.Unix(0, 0))
	if err != nil {
		panic(err)
	}
	return f
}

func benchDefinitions() []Definition {
	return []Definition{
		{View: viewRecent, Version: 1, Filter: benchFilter(`status == "s0" && balance < 387000`, filter.View), Sort: []SortField{{created, true}}},
		{View: viewRich, Version: 1, Filter: benchFilter("balance >= 996600", filter.View), Sort: []SortField{{balance, true}}},
		{View: viewAll, Version: 1, Sort: []SortField{{score, false}}},
	}
}

func benchAttributes(random *rand.Rand) cairn.Attributes {
	text := func(s string) cairn.Value {
		v, _ := cairn.String(s)
		return v
	}
	f, _ := cairn.Float(random.Float64())
	at := random.Int64N(1_000_000_000_000)
	out, err := cairn.NewAttributes([]cairn.Attribute{
		{ID: country, Value: text(fmt.Sprintf("c%d", at/250_000_000_000))},
		{ID: tier, Value: text(fmt.Sprintf("t%d", random.IntN(3)))},
		{ID: status, Value: text(fmt.Sprintf("s%d", random.IntN(3)))},
		{ID: balance, Value: cairn.Int(random.Int64N(1_000_000))},
		{ID: created, Value: cairn.Int(at)},
		{ID: score, Value: f},
	})
	if err != nil {
		panic(err)
	}
	return out
}

func benchKey(i int) cairn.Key {
	return cairn.Key(fmt.Sprintf("user:%015d", uint64(i)*0x9e3779b97f4a7c15%1_000_000_000_000_000))
}

// loaded is the projections that the benchmarks share.
var loaded *Views

const benchEntries = 1_000_000

func load(b *testing.B) (*Views, *Snapshot) {
	b.Helper()
	if loaded == nil {
		loaded = fill(b, benchEntries)
	}
	return loaded, loaded.Snapshot()
}

func fill(b *testing.B, entries int) *Views {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	v := New(benchSchema)
	for _, d := range benchDefinitions() {
		if err := v.Define(d); err != nil {
			b.Fatal(err)
		}
	}
	for i := range entries {
		v.Put(uint32(i), cairn.ShardID(i%16), benchKey(i), benchAttributes(random))
	}
	return v
}

func report(b *testing.B, s *Snapshot, q Query) {
	p, err := s.Page(q)
	if err != nil || len(p.Rows) != q.Limit {
		b.Fatal(len(p.Rows), err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Page(q); err != nil {
			b.Fatal(err)
		}
	}
	b.Log(p.Plan)
}

func BenchmarkFirstPage(b *testing.B) {
	_, s := load(b)
	for name, view := range map[string]cairn.UID{"recent=12.9%": viewRecent, "rich=0.34%": viewRich, "all=100%": viewAll} {
		b.Run(name, func(b *testing.B) {
			report(b, s, Query{Selection: Selection{View: view, Version: 1}, Limit: 50})
		})
	}
	b.Run("recent/offset=10000", func(b *testing.B) {
		report(b, s, Query{Selection: Selection{View: viewRecent, Version: 1}, Limit: 50, Offset: 10_000})
	})
	b.Run("recent/cursor", func(b *testing.B) {
		p, err := s.Page(Query{Selection: Selection{View: viewRecent, Version: 1}, Limit: 50, Offset: 50_000})
		if err != nil {
			b.Fatal(err)
		}
		report(b, s, Query{Selection: Selection{View: viewRecent, Version: 1}, Limit: 50, After: &p.Rows[0].Position})
	})
	b.Run("recent/order-by=balance", func(b *testing.B) {
		report(b, s, Query{Selection: Selection{View: viewRecent, Version: 1}, Limit: 50, OrderBy: []SortField{{balance, true}}})
	})
	b.Run("recent/order-by=tier,created", func(b *testing.B) {
		report(b, s, Query{Selection: Selection{View: viewRecent, Version: 1}, Limit: 50, OrderBy: []SortField{{tier, true}, {created, false}}})
	})
}

// The conditions: independent of the order, the last quarter of it, both, a
// wide and a narrow range, and the end of the order that comes last.
var benchWheres = []string{`tier == "t1"`, `country == "c0"`, `country == "c0" && tier == "t1"`, "score > 0.5", "score > 0.9999", "created < 1000000000", "created < 500000000000"}

func BenchmarkWherePage(b *testing.B) {
	_, s := load(b)
	for _, view := range []cairn.UID{viewRecent, viewAll} {
		for _, where := range benchWheres {
			b.Run(fmt.Sprintf("view=%d/%s", view, where), func(b *testing.B) {
				report(b, s, Query{Selection: Selection{View: view, Version: 1, Where: benchFilter(where, filter.Where)}, Limit: 10})
			})
		}
	}
}

func BenchmarkCount(b *testing.B) {
	_, s := load(b)
	for _, where := range append([]string{""}, benchWheres...) {
		b.Run(where, func(b *testing.B) {
			sel := Selection{View: viewRecent, Version: 1}
			if where != "" {
				sel.Where = benchFilter(where, filter.Where)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Count(sel); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGroupCount(b *testing.B) {
	_, s := load(b)
	for name, by := range map[string][]cairn.AttributeID{"country": {country}, "country,tier": {country, tier}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.GroupCount(Selection{View: viewRecent, Version: 1}, by...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAggregate(b *testing.B) {
	_, s := load(b)
	for name, id := range map[string]cairn.AttributeID{"balance": balance, "created": created, "score": score} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Aggregate(Selection{View: viewRecent, Version: 1}, id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPut replaces the attributes of random entries: all six change, and
// every order, with a snapshot after each and after many.
func BenchmarkPut(b *testing.B) {
	for _, every := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("snapshot=%d", every), func(b *testing.B) {
			v, _ := load(b)
			random := rand.New(rand.NewPCG(3, 4))
			records := make([]cairn.Attributes, 4096)
			for i := range records {
				records[i] = benchAttributes(random)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				i := random.IntN(benchEntries)
				v.Put(uint32(i), cairn.ShardID(i%16), nil, records[n%len(records)])
				if n++; n%every == 0 {
					v.Snapshot()
				}
			}
		})
	}
}

// BenchmarkMemory reports the memory an entry, keys aside.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	loaded = nil
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := fill(b, benchEntries)
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		continue
	}
	keys := 24.0 // 20 bytes and 4
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/benchEntries-keys, "B/entry")
	u := v.Snapshot().Usage()
	each := func(bytes int64) float64 { return float64(bytes) / benchEntries }
	b.Logf("keys %.2f, members %.2f, shards %.2f, orders %.2f, bitsets %.2f, in all %.2f",
		each(u.Keys), each(u.Members), each(u.Shards), each(u.Orders), each(u.Bitsets), each(u.Total()))
	for _, a := range benchSchema.Attributes() {
		b.Logf("%s %.2f", a.Name, each(u.Attributes[a.ID]))
	}
	runtime.KeepAlive(v)
}
