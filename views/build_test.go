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

// TestBuildAmidChanges builds orders of entries so many that parts are split,
// some of them in vain, while entries change in every way.
func TestBuildAmidChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	v := New(testSchema)
	entries := uint32(20_000)
	attributes := func() cairn.Attributes {
		text, _ := cairn.String([]string{"a", "b", "c"}[random.IntN(3)])
		long, _ := cairn.String(fmt.Sprintf("name %d", random.IntN(500)))
		out, err := cairn.NewAttributes([]cairn.Attribute{{ID: kind, Value: text}, {ID: name, Value: long}, {ID: lit, Value: cairn.Bool(random.IntN(3) == 0)},
			{ID: size, Value: cairn.Int(random.Int64N(1000))}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	put := func(ordinal uint32) {
		v.Put(ordinal, 1, cairn.Key(fmt.Sprintf("a common beginning %d", ordinal*7919)), attributes())
	}
	if err := v.Define(Definition{View: 1, Version: 1, Sort: []SortField{{Attribute: size}}}); err != nil {
		t.Fatal(err)
	}
	for ordinal := range entries {
		put(ordinal)
	}
	for i, sort := range [][]SortField{{{Attribute: kind, Descending: true}}, {{Attribute: lit}, {Attribute: name, Descending: true}}, {{Attribute: size}}, nil, {{Attribute: at}}} {
		expression := []string{"", "lit", "size < 100", `name >= "name 3"`, ""}[i]
		if err := v.Define(Definition{View: 2, Version: uint64(i), Filter: parse(t, expression, filter.View), Sort: sort}); err != nil {
			t.Fatal(err)
		}
	}
	steps := 0
	for v.Build(4_000) {
		steps++
		for range 50 {
			put(random.Uint32N(entries + entries/8))
			v.Delete(random.Uint32N(entries), 1)
		}
		if steps%20 == 0 {
			v.Snapshot()
			for _, p := range v.Progress() {
				if p.Done > p.Total {
					t.Fatalf("%+v", p)
				}
			}
			if err := v.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	if steps < 40 {
		t.Errorf("built in %d steps", steps)
	}
}

// BenchmarkBuild builds a view of half the entries over existing ones, with a
// new order and on an order that is there, and reports the longest step.
func BenchmarkBuild(b *testing.B) {
	for _, entries := range imageSizes() {
		keys, records := benchEntriesOf(entries)
		v, err := buildBench(b, keys, records).withShards(benchShards(entries))
		if err != nil {
			b.Fatal(err)
		}
		for name, sort := range map[string][]SortField{"new-order": {{Attribute: tier}, {Attribute: created, Descending: true}}, "same-order": {{Attribute: score}}} {
			b.Run(fmt.Sprintf("%s/entries=%d", name, entries), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				var longest time.Duration
				steps := 0
				cpu := processorTime()
				for b.Loop() {
					d := Definition{View: 9, Version: 1, Sort: sort, Filter: benchFilter("score > 0.5", filter.View)}
					if err := v.Define(d); err != nil {
						b.Fatal(err)
					}
					for more := true; more; steps++ {
						start := threadTime()
						more = v.Build(10_000)
						longest = max(longest, threadTime()-start)
					}
					v.Drop(9, 1)
				}
				b.ReportMetric((processorTime()-cpu).Seconds()/float64(b.N), "cpu-s/op")
				b.ReportMetric(longest.Seconds()*1000, "ms/longest-step")
				b.ReportMetric(float64(steps)/float64(b.N), "steps/op")
			})
		}
	}
}
