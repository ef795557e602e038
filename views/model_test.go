package views

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"
	"cairn/views/page"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// The attributes of the tests' schema.
const (
	kind cairn.AttributeID = iota + 1
	name
	size
	ratio
	lit
	at
	note // not indexed
)

var testSchema = func() *cairn.Schema {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: kind, Name: "kind", Type: cairn.TypeString},
		{ID: name, Name: "name", Type: cairn.TypeString},
		{ID: size, Name: "size", Type: cairn.TypeInt},
		{ID: ratio, Name: "ratio", Type: cairn.TypeFloat},
		{ID: lit, Name: "lit", Type: cairn.TypeBool},
		{ID: at, Name: "at", Type: cairn.TypeTimestamp},
		{ID: note, Name: "note", Type: cairn.TypeInt, Unindexed: true},
	})
	if err != nil {
		panic(err)
	}
	return schema
}()

var (
	viewFilters = []string{"", "lit", "size >= 0", `kind == "b" || size < 3`, `kind in ["a", "c"] && !(ratio > 0.5)`, "has(at)",
		`!has(name)`, `name.startsWith("k")`}
	wheres = []string{"", `kind == "a"`, "lit", "!lit", "size > -1 && size < 4", "ratio <= 0.0", `kind == "b" && size != 2`, `name >= "k5"`,
		`name == "k3"`, "size == 9223372036854775807", `at < now`, `!has(kind) || size == 1`, `kind == "c" && lit`, `kind == "a" && at > timestamp("1970-01-01T00:10:00Z")`, `name >= "k2" && name < "k30" && lit`, `lit && kind == "b" && size > 0`,
		`ratio >= 0.0 && kind == "c"`, `name.startsWith("k1") && !lit`, `kind > "a" && at < now && lit`, `size > 0 && size < 100 && ratio > -1.0`, "note == 1", `note > 0 && kind == "a"`}
	sorts = [][]SortField{nil, {{Attribute: size, Descending: true}}, {{Attribute: ratio}, {Attribute: size}}, {{Attribute: kind}, {Attribute: at, Descending: true}}, {{Attribute: name, Descending: true}}, {{Attribute: lit}, {Attribute: kind, Descending: true}, {Attribute: size}, {Attribute: ratio, Descending: true}}}
	now   = time.Unix(1_000, 0)
)

func parse(t rapid.TB, expression string, mode filter.Mode) *filter.Filter {
	t.Helper()
	if expression == "" {
		return nil
	}
	f, err := filter.Parse(expression, testSchema, mode, now)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// modelEntry is an entry as the model keeps it.
type modelEntry struct {
	ordinal    uint32
	shard      cairn.ShardID
	key        cairn.Key
	attributes cairn.Attributes
}

func (e *modelEntry) value(id cairn.AttributeID) cairn.Value {
	v, _ := e.attributes.Get(id)
	if v.Type() == cairn.TypeFloat && v.Float() == 0 {
		v, _ = cairn.Float(0)
	}
	return v
}

// model is what projections are of, as plain as can be.
type model struct {
	entries map[uint32]*modelEntry
	hidden  map[cairn.ShardID]bool
}

func (m *model) clone() *model {
	return &model{entries: maps.Clone(m.entries), hidden: maps.Clone(m.hidden)}
}

// selected is the entries of a selection, in an order.
func (m *model) selected(d *Definition, where *filter.Filter, order []SortField) []*modelEntry {
	var out []*modelEntry
	for _, e := range m.entries {
		if !m.hidden[e.shard] && (d.Filter == nil || d.Filter.Match(e.attributes)) && (where == nil || where.Match(e.attributes)) {
			out = append(out, e)
		}
	}
	var sort page.Sort
	for _, field := range order {
		sort = append(sort, page.Direction(field.Descending))
	}
	slices.SortFunc(out, func(a, b *modelEntry) int { return sort.Compare(a.position(order), b.position(order)) })
	return out
}

func (e *modelEntry) position(order []SortField) page.Position {
	p := page.Position{Key: e.key}
	for _, field := range order {
		p.Values = append(p.Values, e.value(field.Attribute))
	}
	return p
}

// compare asks a snapshot everything and compares with the model.
func (m *model) compare(t *rapid.T, s *Snapshot, definitions []*Definition) {
	for _, d := range definitions {
		where := parse(t, rapid.SampledFrom(wheres).Draw(t, "where"), filter.Where)
		sel := Selection{View: d.View, Version: d.Version, Where: where, Attributes: func(ordinal uint32) cairn.Attributes { return m.entries[ordinal].attributes }}
		orderBy := rapid.SampledFrom(sorts).Draw(t, "order by")
		order := orderBy
		if len(orderBy) == 0 {
			order = d.Sort
		}
		m.comparePages(t, s, Query{Selection: sel, OrderBy: orderBy}, m.selected(d, where, order), order)
		m.compareCounts(t, s, sel, m.selected(d, where, nil))
		m.compareShards(t, s, d)
	}
}

func (m *model) comparePages(t *rapid.T, s *Snapshot, q Query, want []*modelEntry, order []SortField) {
	q.Limit = rapid.IntRange(1, 7).Draw(t, "limit")
	q.Fields = []cairn.AttributeID{kind, size}
	q.Offset = rapid.SampledFrom([]int{0, 0, 1, 10}).Draw(t, "offset")
	next := min(q.Offset, len(want))
	for {
		got, err := s.Page(q)
		if err != nil {
			t.Fatal(err)
		}
		wanted := want[next:min(next+q.Limit, len(want))]
		if len(got.Rows) != len(wanted) || got.More != (next+len(wanted) < len(want)) {
			t.Fatalf("a page of %d rows, more %v; want %d of %d after %d (%s)", len(got.Rows), got.More, len(wanted), len(want), next, got.Plan)
		}
		for i, row := range got.Rows {
			e := wanted[i]
			if row.Ordinal != e.ordinal || row.Key.Compare(e.key) != 0 {
				t.Fatalf("row %d is %d %s, want %d %s (%s)", next+i, row.Ordinal, row.Key, e.ordinal, e.key, got.Plan)
			}
			if !slices.Equal(row.Values, e.position(order).Values) || row.Fields[0] != e.value(kind) || row.Fields[1] != e.value(size) {
				t.Fatalf("row %v, want %v", row, e)
			}
		}
		next += len(wanted)
		if !got.More {
			return
		}
		q.Offset, q.After = 0, &got.Rows[len(got.Rows)-1].Position
	}
}

func (m *model) compareCounts(t *rapid.T, s *Snapshot, sel Selection, want []*modelEntry) {
	if n, err := s.Count(sel); err != nil || n != len(want) {
		t.Fatalf("count is %d (%v), want %d", n, err, len(want))
	}
	by := rapid.SampledFrom([][]cairn.AttributeID{{kind}, {lit}, {name}, {size}, {kind, lit}, {ratio, name}, {lit, kind}}).Draw(t, "by")
	groups, err := s.GroupCount(sel, by...)
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]int{}
	for _, e := range want {
		wanted[fmt.Sprint(values(e, by))]++
	}
	got := map[string]int{}
	for _, g := range groups {
		got[fmt.Sprint(g.Values)] += g.Count
	}
	if !maps.Equal(got, wanted) || len(groups) != len(got) {
		t.Fatalf("groups %v, want %v", groups, wanted)
	}
	for _, id := range []cairn.AttributeID{size, ratio, at, lit, name} {
		a, err := s.Aggregate(sel, id)
		if err != nil {
			t.Fatal(err)
		}
		compareAggregation(t, a, want, id)
	}
}

func values(e *modelEntry, by []cairn.AttributeID) (out []cairn.Value) {
	for _, id := range by {
		out = append(out, e.value(id))
	}
	return out
}

func compareAggregation(t *rapid.T, got cairn.Aggregation, entries []*modelEntry, id cairn.AttributeID) {
	var least, most cairn.Value
	n, ints, floats := 0, new(big.Int), 0.0
	for _, e := range entries {
		v := e.value(id)
		if v.Type() == cairn.TypeNull {
			continue
		}
		if n == 0 || v.Compare(least) < 0 {
			least = v
		}
		if n == 0 || v.Compare(most) > 0 {
			most = v
		}
		n++
		if v.Type() == cairn.TypeInt {
			ints.Add(ints, big.NewInt(v.Int()))
		} else if v.Type() == cairn.TypeFloat {
			floats += v.Float()
		}
	}
	if got.Count != n || got.Min != least || got.Max != most || got.Ints.String() != ints.String() || math.Abs(got.Floats-floats) > 1e-9 {
		t.Fatalf("attribute %d: %+v, want %d, %s to %s, %s or %v", id, got, n, least, most, ints, floats)
	}
	if _, err := got.Sum(); id == size && (err == nil) != ints.IsInt64() {
		t.Fatalf("sum %s: %v", ints, err)
	}
}

func (m *model) compareShards(t *rapid.T, s *Snapshot, d *Definition) {
	want, seen := map[cairn.ShardID]int{}, 0
	for _, e := range m.selected(d, nil, nil) {
		want[e.shard]++
	}
	for _, e := range m.entries {
		if !m.hidden[e.shard] {
			seen++
		}
	}
	got, err := s.CountByShard(d.View, d.Version)
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("counts by shard %v (%v), want %v", got, err, want)
	}
	if s.Entries() != seen {
		t.Fatalf("%d entries, want %d", s.Entries(), seen)
	}
}

func anyAttributes(t *rapid.T) cairn.Attributes {
	var out []cairn.Attribute
	add := func(id cairn.AttributeID, v cairn.Value, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if rapid.IntRange(0, 5).Draw(t, "absent") > 0 {
			out = append(out, cairn.Attribute{ID: id, Value: v})
		}
	}
	v, err := cairn.String(rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, "kind"))
	add(kind, v, err)
	v, err = cairn.String(fmt.Sprintf("k%d", rapid.IntRange(0, 40).Draw(t, "name")))
	add(name, v, err)
	add(size, cairn.Int(rapid.SampledFrom([]int64{-1, 0, 1, 2, 3, 300, 70_000, math.MaxInt64, math.MinInt64}).Draw(t, "size")), nil)
	v, err = cairn.Float(rapid.SampledFrom([]float64{math.Copysign(0, -1), 0, 0.25, 1, -3.5}).Draw(t, "ratio"))
	add(ratio, v, err)
	add(lit, cairn.Bool(rapid.Bool().Draw(t, "lit")), nil)
	v, err = cairn.Timestamp(time.Unix(rapid.Int64Range(0, 2_000).Draw(t, "at"), 0))
	add(at, v, err)
	add(note, cairn.Int(rapid.Int64Range(0, 2).Draw(t, "note")), nil)
	attributes, err := cairn.NewAttributes(out)
	if err != nil {
		t.Fatal(err)
	}
	return attributes
}

// taken is a snapshot and what it must go on answering.
type taken struct {
	snapshot    *Snapshot
	model       *model
	definitions []*Definition
}

func TestMaintainedStateIsTheRebuiltOne(t *testing.T) { rapid.Check(t, checkMaintained) }

func checkMaintained(t *rapid.T) {
	v := New(testSchema)
	v.foldLeast = 20
	m := &model{entries: map[uint32]*modelEntry{}, hidden: map[cairn.ShardID]bool{}}
	var definitions []*Definition
	var snapshots []taken
	version := uint64(0)
	ordinalOf := func() uint32 {
		low := rapid.Uint32Range(0, 300).Draw(t, "ordinal")
		return low + low%3<<16 // three blocks
	}
	complete := func() (out []*Definition) {
		for _, p := range v.Progress() {
			for _, d := range definitions {
				if p.Complete && d.Version == p.Version {
					out = append(out, d)
				}
			}
		}
		return out
	}
	t.Repeat(map[string]func(*rapid.T){
		"put": func(t *rapid.T) {
			for range rapid.IntRange(1, 40).Draw(t, "puts") {
				ordinal := ordinalOf()
				e := &modelEntry{ordinal: ordinal, attributes: anyAttributes(t)}
				if old := m.entries[ordinal]; old != nil {
					e.shard, e.key = old.shard, old.key
				} else {
					e.shard = cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "shard"))
					e.key = cairn.Key(fmt.Sprintf("%0*d", rapid.IntRange(1, 30).Draw(t, "length"), ordinal^77))
				}
				m.entries[ordinal] = e
				v.Put(ordinal, e.shard, e.key, e.attributes)
			}
		},
		"put a run": func(t *rapid.T) {
			run, shard := m.newRun(t), cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "shard"))
			// Some views' marks are lacking, or of another filter or sort.
			known := slices.DeleteFunc(slices.Clone(definitions), func(*Definition) bool { return rapid.IntRange(0, 3).Draw(t, "lacks") == 0 })
			v.PutMarked(shard, run, marksOf(t, known, run))
			for i := range run {
				m.entries[run[i].Ordinal] = &modelEntry{run[i].Ordinal, shard, run[i].Key, run[i].Attributes}
			}
		},
		"delete": func(t *rapid.T) {
			for range rapid.IntRange(1, 20).Draw(t, "deletes") {
				ordinal := ordinalOf()
				shard := cairn.ShardID(1)
				if e := m.entries[ordinal]; e != nil {
					shard = e.shard
				}
				v.Delete(ordinal, shard)
				delete(m.entries, ordinal)
			}
		},
		"define": func(t *rapid.T) {
			if len(definitions) > 5 {
				return
			}
			version++
			d := &Definition{View: 1, Version: version, Filter: parse(t, rapid.SampledFrom(viewFilters).Draw(t, "filter"), filter.View),
				Sort: rapid.SampledFrom(sorts).Draw(t, "sort")}
			if err := v.Define(*d); err != nil {
				t.Fatal(err)
			}
			definitions = append(definitions, d)
		},
		"drop": func(t *rapid.T) {
			if len(definitions) == 0 {
				return
			}
			i := rapid.IntRange(0, len(definitions)-1).Draw(t, "view")
			v.Drop(1, definitions[i].Version)
			definitions = slices.Delete(slices.Clone(definitions), i, i+1)
		},
		"build": func(t *rapid.T) { v.Build(rapid.IntRange(1, 100).Draw(t, "steps")) },
		"hide": func(t *rapid.T) {
			id := cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "shard"))
			v.HideShard(id)
			m.hidden[id] = true
		},
		"gather": func(t *rapid.T) {
			id := cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "shard"))
			v.GatherShard(id)
			m.hidden[id] = true
		},
		"settle": func(t *rapid.T) { v.SettleShard(cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "shard"))) },
		"show": func(t *rapid.T) {
			id := cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "shard"))
			v.ShowShard(id)
			delete(m.hidden, id)
		},
		"move": func(t *rapid.T) {
			from, to := cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "from")), cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "to"))
			moved := roaring.New()
			for _, ordinal := range slices.SortedFunc(maps.Keys(m.entries), cmp.Compare) {
				if e := m.entries[ordinal]; e.shard == from && ordinal%2 == 0 {
					moved.Add(ordinal)
					own := *e
					own.shard = to
					m.entries[ordinal] = &own
				}
			}
			v.MoveEntries(from, to, moved)
		},
		"sweep": func(t *rapid.T) {
			id := cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "shard"))
			for !v.SweepShard(id, 7) {
				continue
			}
			maps.DeleteFunc(m.entries, func(_ uint32, e *modelEntry) bool { return e.shard == id })
			delete(m.hidden, id)
		},
		"snapshot": func(t *rapid.T) {
			snapshots = append(snapshots, taken{v.Snapshot(), m.clone(), complete()})
		},
		"": func(t *rapid.T) {
			if len(snapshots) > 0 {
				one := snapshots[rapid.IntRange(0, len(snapshots)-1).Draw(t, "which")]
				one.model.compare(t, one.snapshot, one.definitions)
			}
			if err := v.Check(); err != nil {
				t.Fatal(err)
			}
		},
	})
	for id := range cairn.ShardID(3) {
		v.SettleShard(id + 1)
	}
	for v.Build(50) {
		continue
	}
	last := v.Snapshot()
	m.compare(t, last, definitions)
	m.compareRebuilt(t, last, definitions)
	for _, one := range snapshots {
		one.model.compare(t, one.snapshot, one.definitions)
	}
}
