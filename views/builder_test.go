package views

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// build builds what a model has, for definitions.
func build(t rapid.TB, m *model, definitions []*Definition) *Restored {
	t.Helper()
	b, err := NewBuilder(testSchema, nil, plain(definitions))
	if err != nil {
		t.Fatal(err)
	}
	for _, ordinal := range slices.Sorted(maps.Keys(m.entries)) {
		e := m.entries[ordinal]
		if err := b.Add(ordinal, e.key, e.attributes); err != nil {
			t.Fatal(err)
		}
	}
	r, err := b.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBuiltIsTheMaintainedState builds from what was there at one moment, and
// brings it up to what changed meanwhile.
func TestBuiltIsTheMaintainedState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWritten()
		for version := range rapid.Uint64Range(0, 4).Draw(t, "views") {
			w.define(t, version)
		}
		for range rapid.IntRange(0, 3).Draw(t, "rounds") {
			w.change(t, roaring.New())
		}
		r := build(t, w.model, w.definitions)
		dirty := roaring.New()
		w.change(t, dirty)
		v := w.finish(t, r, dirty, w.definitions)
		w.views = v
		w.change(t, roaring.New())
		w.model.compare(t, v.Snapshot(), w.definitions)
		if err := v.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBuilderRefuses(t *testing.T) {
	_, err := NewBuilder(testSchema, nil, []Definition{{View: 1, Version: 1, Sort: []SortField{{Attribute: note}}}})
	requireReason(t, err, "sort", "ATTRIBUTE_UNKNOWN")
	b, err := NewBuilder(testSchema, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	requireReason(t, b.Add(1, nil, nil), "key", "KEY_EMPTY")
	if err := b.Add(3, cairn.Key("a"), nil); err != nil {
		t.Fatal(err)
	}
	requireReason(t, b.Add(3, cairn.Key("b"), nil), "ordinal", "ORDINAL_NOT_ASCENDING")
}

// TestSorter sorts enough entries to be split several times over, with values
// and beginnings of keys that many have.
func TestSorter(t *testing.T) {
	const entries = 60_000
	v := New(testSchema)
	b := &Builder{views: v}
	b.rows = make([]rows, len(v.present.attributes))
	for i := range b.rows {
		b.rows[i].codes = map[string]uint32{}
	}
	random := rand.New(rand.NewPCG(5, 6))
	for i := range uint32(entries) {
		var attributes []cairn.Attribute
		add := func(id cairn.AttributeID, value cairn.Value) {
			if random.IntN(5) > 0 {
				attributes = append(attributes, cairn.Attribute{ID: id, Value: value})
			}
		}
		text, _ := cairn.String(fmt.Sprintf("some long name %d", random.IntN(7)*1000))
		add(name, text)
		text, _ = cairn.String([]string{"a", "b"}[random.IntN(2)])
		add(kind, text)
		add(size, cairn.Int(int64([]uint64{1 << 63, 0, 1, 1<<63 - 1, uint64(random.IntN(40_000))}[random.IntN(5)])))
		add(lit, cairn.Bool(random.IntN(2) == 0))
		encoded, _ := cairn.NewAttributes(attributes)
		key := cairn.Key(fmt.Sprintf("a common beginning %d", random.Uint64()))
		if i%3 == 0 {
			key = cairn.Key(fmt.Sprintf("%0*b", 1+i/3%700, i))
		}
		if err := b.Add(i*3, append(key, 0, byte(i), byte(i>>8)), encoded); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Finish(nil); err != nil {
		t.Fatal(err)
	}
	for _, sort := range append(sorts, []SortField{{Attribute: lit}}, []SortField{{Attribute: size, Descending: true}, {Attribute: name}}, []SortField{{Attribute: kind, Descending: true}, {Attribute: lit}}) {
		fields, err := v.present.sortFields("", sort)
		if err != nil {
			t.Fatal(err)
		}
		s := newSorter(&v.present, sort, fields)
		got := slices.Concat(s.all(&b.blocks, entries, newJobs(nil))...)
		want := v.present.entries.read().ToArray()
		c := comparer{state: &v.present, sort: sort, fields: fields}
		slices.SortFunc(want, c.Compare)
		if !slices.Equal(got, want) {
			t.Fatalf("sorted by %v: %d entries are not the %d in order", sort, len(got), len(want))
		}
	}
}

// TestBuilderStops has a Builder give up at each point where it asks whether to.
func TestBuilderStops(t *testing.T) {
	w, _ := filled(t, 9000)
	for after := int64(0); ; after = 2*after + 1 {
		b, err := NewBuilder(testSchema, nil, plain(w.definitions))
		if err != nil {
			t.Fatal(err)
		}
		for _, ordinal := range slices.Sorted(maps.Keys(w.model.entries)) {
			if err := b.Add(ordinal, w.model.entries[ordinal].key, w.model.entries[ordinal].attributes); err != nil {
				t.Fatal(err)
			}
		}
		var asked atomic.Int64
		r, err := b.Finish(func() bool { return asked.Add(1) > after })
		if asked.Load() <= after {
			if err != nil || r == nil {
				t.Fatalf("not stopped: %v", err)
			}
			return
		}
		if cairn.ReasonOf(err) != "BUILD_STOPPED" || r != nil {
			t.Fatalf("stopped at question %d: %v", after+1, err)
		}
		// What is under way ends; nothing else begins.
		if more := asked.Load() - after; more > 100 {
			t.Errorf("stopped at question %d, it asked another %d", after+1, more)
		}
	}
}

// BenchmarkBuilder builds the projections of six attributes and three views.
func BenchmarkBuilder(b *testing.B) {
	for _, entries := range imageSizes() {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			keys, records := benchEntriesOf(entries)
			cpu := processorTime()
			for b.Loop() {
				_ = buildBench(b, keys, records)
			}
			b.ReportMetric((processorTime()-cpu).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

// benchEntriesOf are the keys and the attributes of so many entries.
func benchEntriesOf(entries int) (keys []cairn.Key, records []cairn.Attributes) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range entries {
		keys, records = append(keys, benchKey(i)), append(records, benchAttributes(random))
	}
	return keys, records
}

func buildBench(b *testing.B, keys []cairn.Key, records []cairn.Attributes) *Restored {
	b.Helper()
	builder, err := NewBuilder(benchSchema, nil, benchDefinitions())
	if err != nil {
		b.Fatal(err)
	}
	for i, key := range keys {
		if err := builder.Add(uint32(i), key, records[i]); err != nil {
			b.Fatal(err)
		}
	}
	r, err := builder.Finish(nil)
	if err != nil {
		b.Fatal(err)
	}
	return r
}
