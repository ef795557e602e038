package order

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// columns is an owner: one int column and keys by ordinal.
type columns struct {
	values []int64
	keys   [][]byte
}

func (c *columns) Compare(a, b uint32) int {
	if order := cmp.Compare(c.values[a], c.values[b]); order != 0 {
		return order
	}
	return bytes.Compare(c.keys[a], c.keys[b])
}

func (c *columns) Prefix(ordinal uint32) uint64 { return prefixOf(c.values[ordinal]) }

// prefixOf keeps little of a value, so that equal prefixes of different values
// occur too.
func prefixOf(value int64) uint64 { return uint64(value/4) ^ 1<<63 }

// wanted is a sought position.
type wanted struct {
	columns *columns
	value   int64
	key     []byte
}

func (p *wanted) Compare(ordinal uint32) int {
	if order := cmp.Compare(p.columns.values[ordinal], p.value); order != 0 {
		return order
	}
	return bytes.Compare(p.columns.keys[ordinal], p.key)
}

func (p *wanted) Prefix() uint64 { return prefixOf(p.value) }

// model is the naive order: a sorted slice, with each entry's set of views.
type model struct {
	columns *columns
	entries []uint32
	views   map[uint32]ViewSet
	used    ViewSet
}

func (m *model) find(ordinal uint32) (int, bool) {
	return slices.BinarySearchFunc(m.entries, ordinal, m.columns.Compare)
}

func (m *model) members(v View) []uint32 {
	var out []uint32
	for _, ordinal := range m.entries {
		if m.views[ordinal].Has(v) {
			out = append(out, ordinal)
		}
	}
	return out
}

// held is a snapshot with what it must show for ever.
type held struct {
	reader  Reader
	columns *columns
	entries []uint32
	members map[View][]uint32
}

func (m *model) hold(r Reader) held {
	h := held{reader: r, entries: slices.Clone(m.entries), members: map[View][]uint32{}}
	h.columns = &columns{values: slices.Clone(m.columns.values), keys: m.columns.keys}
	m.used.each(func(v int) { h.members[View(v)] = m.members(View(v)) })
	return h
}

// compare is what a snapshot shows wrongly, walked, counted and looked up.
func (h held) compare(t *rapid.T) {
	var entries []uint32
	for run := range h.reader.Runs() {
		entries = append(entries, run...)
	}
	if !slices.Equal(entries, h.entries) || h.reader.Len() != len(entries) {
		t.Fatalf("entries %v (%d), want %v", entries, h.reader.Len(), h.entries)
	}
	for v, want := range h.members {
		if n := h.reader.Count(v); n != len(want) {
			t.Fatalf("view %d counts %d, want %d", v, n, len(want))
		}
		page := make([]uint32, len(want)+3)
		it := h.reader.First(v)
		if n := it.Fill(page); !slices.Equal(page[:n], want) {
			t.Fatalf("view %d has %v, want %v", v, page[:n], want)
		}
		back := slices.Clone(want)
		slices.Reverse(back)
		it = h.reader.End(v)
		if n := it.FillBack(page); !slices.Equal(page[:n], back) {
			t.Fatalf("view %d backwards has %v, want %v", v, page[:n], back)
		}
		for range 3 {
			h.comparePlaces(t, v, want)
		}
		h.compareNarrowed(t, v, want)
		h.compareStretches(t, v, want)
	}
}

// comparePlaces goes to an offset and to a position and reads both ways.
func (h held) comparePlaces(t *rapid.T, v View, want []uint32) {
	offset := rapid.IntRange(0, len(want)+2).Draw(t, "offset")
	it := h.reader.At(v, offset)
	h.compareAround(t, v, it, min(offset, len(want)), want)

	p := &wanted{h.columns, int64(rapid.IntRange(-2, 33).Draw(t, "value")), nil}
	if len(want) > 0 && rapid.Bool().Draw(t, "at an entry") {
		ordinal := rapid.SampledFrom(want).Draw(t, "entry")
		p.value, p.key = h.columns.values[ordinal], h.columns.keys[ordinal]
	}
	at, past := len(want), len(want)
	for i, ordinal := range slices.Backward(want) {
		if p.Compare(ordinal) >= 0 {
			at = i
		}
		if p.Compare(ordinal) > 0 {
			past = i
		}
	}
	h.compareAround(t, v, h.reader.Seek(v, p), at, want)
	h.compareAround(t, v, h.reader.SeekPast(v, p), past, want)
}

func (h held) compareAround(t *rapid.T, v View, it Iterator, at int, want []uint32) {
	if rank := it.Rank(); rank != at {
		t.Fatalf("view %d: rank %d, want %d", v, rank, at)
	}
	limit := rapid.IntRange(1, 9).Draw(t, "limit")
	page := make([]uint32, limit)
	forward, backward := it, it
	for i := at; i < min(at+3*limit, len(want)); i += limit {
		rest := want[i:min(i+limit, len(want))]
		if n := forward.Fill(page); !slices.Equal(page[:n], rest) {
			t.Fatalf("view %d from %d on: %v, want %v", v, i, page[:n], rest)
		}
	}
	for i := at; i > max(at-3*limit, 0); i -= limit {
		rest := slices.Clone(want[max(i-limit, 0):i])
		slices.Reverse(rest)
		if n := backward.FillBack(page); !slices.Equal(page[:n], rest) {
			t.Fatalf("view %d from %d back: %v, want %v", v, i, page[:n], rest)
		}
	}
	next, ok := it.Next()
	if ok != (at < len(want)) || ok && next != want[at] {
		t.Fatalf("view %d: next is %d, %v", v, next, ok)
	}
	if prev, _ := it.Prev(); ok && prev != next {
		t.Fatalf("view %d: there and back is %d, went over %d", v, prev, next)
	}
}

// compareNarrowed walks with a test and with another view.
func (h held) compareNarrowed(t *rapid.T, v View, all []uint32) {
	odd := func(ordinal uint32) bool { return ordinal%2 == 1 }
	var want []uint32
	for _, ordinal := range all {
		if odd(ordinal) {
			want = append(want, ordinal)
		}
	}
	most := rapid.IntRange(1, 30).Draw(t, "most")
	page := make([]uint32, rapid.IntRange(1, 9).Draw(t, "page"))
	var got []uint32
	for it := h.reader.First(v); ; {
		kept, looked := it.Select(page, most, odd)
		got = append(got, page[:kept]...)
		if looked > max(most, 2) {
			t.Fatalf("looked at %d places, at most %d were allowed", looked, most)
		}
		if kept < len(page) && looked < most {
			break
		}
		if next := it; most <= 2 && !first(next.Next()) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("view %d narrowed has %v, want %v", v, got, want)
	}
	got = nil
	for it := h.reader.End(v); ; {
		kept, looked := it.SelectBack(page, most, odd)
		got = append(got, page[:kept]...)
		if kept < len(page) && looked < most {
			break
		}
		if prev := it; most <= 2 && !first(prev.Prev()) {
			break
		}
	}
	slices.Reverse(got)
	if !slices.Equal(got, want) {
		t.Fatalf("view %d narrowed backwards has %v, want %v", v, got, want)
	}
	for other, members := range h.members {
		want = nil
		for _, ordinal := range all {
			if slices.Contains(members, ordinal) {
				want = append(want, ordinal)
			}
		}
		page := make([]uint32, len(want)+1)
		it := h.reader.First(v).And(other)
		if n := it.Fill(page); !slices.Equal(page[:n], want) {
			t.Fatalf("view %d and %d have %v, want %v", v, other, page[:n], want)
		}
		slices.Reverse(want)
		it = h.reader.End(v).And(other)
		if n := it.FillBack(page); !slices.Equal(page[:n], want) {
			t.Fatalf("view %d and %d backwards have %v, want %v", v, other, page[:n], want)
		}
	}
}

func first(_ uint32, ok bool) bool { return ok }

// machine drives an order and the model together.
type machine struct {
	model
	order *Order
	held  []held
}

const ordinals = 400

func (m *machine) set(t *rapid.T) ViewSet {
	set := ViewSet{}
	share := rapid.IntRange(0, 10).Draw(t, "share")
	m.used.each(func(v int) {
		// Some views are nearly full and some nearly empty.
		if rapid.IntRange(0, 10).Draw(t, "in") < share+5*(v%3-1) {
			set = set.With(View(v))
		}
	})
	return set
}

func (m *machine) insert(t *rapid.T, ordinal uint32, value int64) {
	if _, ok := m.views[ordinal]; ok {
		if m.order.Insert(ordinal, nil) {
			t.Fatalf("%d was inserted twice", ordinal)
		}
		return
	}
	m.insertAs(t, ordinal, value, m.set(t))
}

func (m *machine) insertAs(t *rapid.T, ordinal uint32, value int64, set ViewSet) {
	m.columns.values[ordinal] = value
	if !m.order.Insert(ordinal, set) {
		t.Fatalf("%d was not inserted", ordinal)
	}
	i, _ := m.find(ordinal)
	m.entries = slices.Insert(m.entries, i, ordinal)
	m.views[ordinal] = set
}

// insertRun inserts those of some ordinals that are not there together, with
// values in a range.
func (m *machine) insertRun(t *rapid.T, some []uint32, low, high int64) {
	var run []uint32
	for _, ordinal := range some {
		if _, ok := m.views[ordinal]; !ok {
			m.columns.values[ordinal] = rapid.Int64Range(low, high).Draw(t, "value")
			m.views[ordinal] = m.set(t)
			run = append(run, ordinal)
		}
	}
	slices.SortFunc(run, m.columns.Compare)
	m.order.InsertRun(run, nil, func(ordinal uint32) ViewSet { return m.views[ordinal] })
	m.entries = append(m.entries, run...)
	slices.SortFunc(m.entries, m.columns.Compare)
}

func (m *machine) remove(t *rapid.T, ordinal uint32) {
	_, ok := m.views[ordinal]
	if m.order.Delete(ordinal) != ok {
		t.Fatalf("deleting %d: want %v", ordinal, ok)
	}
	if ok {
		i, _ := m.find(ordinal)
		m.entries = slices.Delete(m.entries, i, i+1)
		delete(m.views, ordinal)
	}
}

// changeBetween inserts or deletes an entry between two steps of filling a
// view, perhaps the one that the next step goes on from.
func (m *machine) changeBetween(t *rapid.T, v View, member func(uint32) bool) {
	ordinal := rapid.Uint32Range(0, ordinals-1).Draw(t, "between")
	if _, ok := m.views[ordinal]; ok {
		m.remove(t, ordinal)
		return
	}
	set := m.set(t).With(v)
	if !member(ordinal) {
		set.remove(v)
	}
	m.insertAs(t, ordinal, rapid.Int64Range(0, 31).Draw(t, "value between"), set)
}

func (m *machine) fill(t *rapid.T, v View) {
	modulus := rapid.Uint32Range(1, 40).Draw(t, "modulus")
	member := func(ordinal uint32) bool { return ordinal%modulus == 0 }
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		m.order.FillView(v, member)
	case 1:
		bitmap := roaring.New()
		for ordinal := range uint32(ordinals) {
			if member(ordinal) {
				bitmap.Add(ordinal)
			}
		}
		m.order.FillViewFrom(v, bitmap)
	case 2:
		leaves := rapid.IntRange(1, 5).Draw(t, "leaves")
		last, more := m.order.FillViewStep(v, nil, leaves, member)
		for more {
			p := &wanted{m.columns, m.columns.values[last], m.columns.keys[last]}
			m.changeBetween(t, v, member)
			last, more = m.order.FillViewStep(v, p, leaves, member)
		}
	}
	for _, ordinal := range m.entries {
		set := m.views[ordinal].With(v)
		if !member(ordinal) {
			set.remove(v)
		}
		m.views[ordinal] = set
	}
}

// TestAgainstSortedSlice does the same to an order and to a sorted slice, in
// trees of few and of many levels, with the accounting checked after every
// step and snapshots compared long after they were taken.
func TestAgainstSortedSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{model: model{columns: &columns{values: make([]int64, ordinals)}, views: map[uint32]ViewSet{}}}
		for i := range ordinals {
			// Keys in another order than ordinals.
			m.columns.keys = append(m.columns.keys, fmt.Appendf(nil, "%03d", i*177%ordinals))
		}
		s := rapid.SampledFrom([]shape{newShape(4, 2), newShape(8, 3), newShape(40, 8), newShape(leafCapacity, fanout)}).Draw(t, "shape")
		m.order = newOrder(m.columns, s)
		anOrdinal := rapid.Uint32Range(0, ordinals-1)
		aValue := rapid.Int64Range(0, 31)
		if rapid.Bool().Draw(t, "loaded") {
			for ordinal := range uint32(rapid.IntRange(0, ordinals).Draw(t, "entries")) {
				m.columns.values[ordinal] = aValue.Draw(t, "value")
				m.entries = append(m.entries, ordinal)
				m.views[ordinal] = nil
			}
			slices.SortFunc(m.entries, m.columns.Compare)
			if err := m.order.Load(slices.Chunk(m.entries, 7)); err != nil {
				t.Fatal(err)
			}
		}
		addView := func(t *rapid.T) {
			v, err := m.order.AddView()
			if err != nil || m.used.Has(v) {
				t.Fatalf("added view %d: %v", v, err)
			}
			m.used = m.used.With(v)
			if rapid.Bool().Draw(t, "filled") {
				m.fill(t, v)
			}
		}
		addView(t)
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) { m.insert(t, anOrdinal.Draw(t, "ordinal"), aValue.Draw(t, "value")) },
			"insert many": func(t *rapid.T) {
				ordinal, value := anOrdinal.Draw(t, "ordinal"), aValue.Draw(t, "value")
				step := rapid.Int64Range(-1, 1).Draw(t, "step")
				for i := range rapid.IntRange(0, 60).Draw(t, "many") {
					m.insert(t, (ordinal+uint32(i))%ordinals, value+step*int64(i))
				}
			},
			"insert run": func(t *rapid.T) {
				low := rapid.Int64Range(0, 31).Draw(t, "low")
				high := rapid.Int64Range(low, 31).Draw(t, "high")
				m.insertRun(t, rapid.SliceOfN(anOrdinal, 0, ordinals/2).Draw(t, "run"), low, high)
			},
			"delete": func(t *rapid.T) { m.remove(t, anOrdinal.Draw(t, "ordinal")) },
			"delete many": func(t *rapid.T) {
				if len(m.entries) == 0 {
					return
				}
				i := rapid.IntRange(0, len(m.entries)-1).Draw(t, "from")
				for range rapid.IntRange(0, 60).Draw(t, "many") {
					if i < len(m.entries) {
						m.remove(t, m.entries[i])
					}
				}
			},
			"update": func(t *rapid.T) {
				ordinal := anOrdinal.Draw(t, "ordinal")
				set := m.set(t)
				if _, ok := m.views[ordinal]; m.order.Update(ordinal, set) != ok {
					t.Fatalf("updating %d: want %v", ordinal, ok)
				} else if ok {
					m.views[ordinal] = set
				}
			},
			"add view": func(t *rapid.T) {
				if m.order.Views() < 9 {
					addView(t)
				}
			},
			"drop view": func(t *rapid.T) {
				v := View(rapid.IntRange(0, 9).Draw(t, "view"))
				m.order.DropView(v)
				m.used.remove(v)
				for _, ordinal := range m.entries {
					m.views[ordinal].remove(v)
				}
			},
			"snapshot": func(t *rapid.T) {
				if len(m.held) > 3 {
					i := rapid.IntRange(0, 3).Draw(t, "compared")
					m.held[i].compare(t)
					m.held = slices.Delete(m.held, i, i+1)
				}
				m.held = append(m.held, m.hold(m.order.Snapshot()))
			},
			"": func(t *rapid.T) {
				if err := m.order.Check(); err != nil {
					t.Fatal(err)
				}
				if m.order.Len() != len(m.entries) {
					t.Fatalf("%d entries, want %d", m.order.Len(), len(m.entries))
				}
				ordinal := anOrdinal.Draw(t, "looked up")
				got, ok := m.order.Has(ordinal)
				want, known := m.views[ordinal]
				if ok != known {
					t.Fatalf("has %d: %v, want %v", ordinal, ok, known)
				}
				for v := range View(12) {
					if got.Has(v) != want.Has(v) {
						t.Fatalf("%d in view %d: %v", ordinal, v, got.Has(v))
					}
				}
			},
		})
		m.hold(m.order.Snapshot()).compare(t)
		for _, h := range m.held {
			h.compare(t)
		}
	})
}

// keyOf is a key of 20 bytes of which the first many agree.
func keyOf(ordinal uint32) []byte {
	key := append(make([]byte, 0, 20), "customer/00/"...)
	return binary.BigEndian.AppendUint64(key, uint64(ordinal)*0x9e3779b97f4a7c15)
}
