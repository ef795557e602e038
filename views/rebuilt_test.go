package views

import (
	"maps"
	"slices"

	"cairn"
	"cairn/views/order"

	"pgregory.net/rapid"
)

// rebuilt is new projections of the model's entries.
func (m *model) rebuilt(t *rapid.T, definitions []*Definition) *Views {
	v := New(testSchema)
	for _, ordinal := range slices.Sorted(maps.Keys(m.entries)) {
		e := m.entries[ordinal]
		v.Put(ordinal, e.shard, e.key, e.attributes)
	}
	for _, d := range definitions {
		if err := v.Define(*d); err != nil {
			t.Fatal(err)
		}
	}
	for v.Build(1000) {
		continue
	}
	for id := range m.hidden {
		v.HideShard(id)
	}
	return v
}

// compareRebuilt holds what is kept of a snapshot against that of projections
// built anew: members, orders, counts, columns, keys, and the bitmaps and the
// bitsets of values. Codes and numbers of views may differ.
func (m *model) compareRebuilt(t *rapid.T, kept *Snapshot, definitions []*Definition) {
	built := m.rebuilt(t, definitions).Snapshot()
	if !kept.state.entries.read().Equals(built.state.entries.read()) || kept.Entries() != built.Entries() {
		t.Fatalf("%d entries, %d rebuilt", kept.Entries(), built.Entries())
	}
	for _, d := range definitions {
		compareView(t, kept, built, d)
	}
	for i := range kept.state.attributes {
		compareAttribute(t, kept, built, i)
	}
	for ordinal := range m.entries {
		if kept.state.keys.get(ordinal).Compare(built.state.keys.get(ordinal)) != 0 {
			t.Fatalf("entry %d has another key", ordinal)
		}
	}
}

func compareView(t *rapid.T, kept, built *Snapshot, d *Definition) {
	one, w, found := kept.state.find(d.View, d.Version)
	other, x, foundToo := built.state.find(d.View, d.Version)
	if !found || !foundToo {
		t.Fatalf("version %d is kept %v, rebuilt %v", d.Version, found, foundToo)
	}
	if !kept.state.members[one].read().Equals(built.state.members[other].read()) || kept.kept(one) != built.kept(other) {
		t.Fatalf("version %d has other members", d.Version)
	}
	ordered, anew := kept.orders[w.order].reader, built.orders[x.order].reader
	if !slices.Equal(all(ordered.First(everything)), all(anew.First(everything))) ||
		!slices.Equal(all(ordered.First(w.number)), all(anew.First(x.number))) {
		t.Fatalf("version %d has another order", d.Version)
	}
	for index := range kept.state.attributes {
		a, b := &kept.state.attributes[index], &built.state.attributes[index]
		if !a.aligns() || !b.aligns() {
			continue // of another past: an attribute does not get back what it gave up
		}
		for _, code := range a.allCodes() {
			var size int
			if values := kept.orders[w.order].values; index < len(values) && int(code) < len(values[index]) && values[index][code] != everything {
				size = ordered.Count(values[index][code])
			}
			if want := a.values.get(code).size(); size != want {
				t.Fatalf("%d entries of the order have %v, want %d", size, a.ofNumber(uint64(code)), want)
			}
		}
	}
	shards, err := kept.CountByShard(d.View, d.Version)
	want, errToo := built.CountByShard(d.View, d.Version)
	if err != nil || errToo != nil || !maps.Equal(shards, want) {
		t.Fatalf("version %d has %v by shard, %v rebuilt", d.Version, shards, want)
	}
}

func compareAttribute(t *rapid.T, kept, built *Snapshot, index int) {
	a, b := &kept.state.attributes[index], &built.state.attributes[index]
	bitmaps := map[cairn.Value][]uint32{}
	for it := built.state.entries.read().Iterator(); it.HasNext(); {
		ordinal := it.Next()
		value := b.value(ordinal)
		if a.value(ordinal) != value {
			t.Fatalf("%s of %d is %v, %v rebuilt", a.spec.Name, ordinal, a.value(ordinal), value)
		}
		if value.Type() != cairn.TypeNull {
			bitmaps[value] = append(bitmaps[value], ordinal)
		}
	}
	if !a.indexed {
		return
	}
	for _, code := range a.allCodes() {
		value := a.ofNumber(uint64(code))
		if !slices.Equal(a.values.get(code).read().ToArray(), bitmaps[value]) {
			t.Fatalf("the bitmap of %s %v is not that of its entries", a.spec.Name, value)
		}
		delete(bitmaps, value)
	}
	if len(bitmaps) > 0 {
		t.Fatalf("%d values of %s have no bitmap", len(bitmaps), a.spec.Name)
	}
}

// all is the rest of what an iterator walks.
func all(it order.Iterator) (out []uint32) {
	for ordinal, found := it.Next(); found; ordinal, found = it.Next() {
		out = append(out, ordinal)
	}
	return out
}
