package order

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBulk loads an order, fills its views in one pass, and puts runs behind it
// amid deletions and updates.
func TestBulk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{model: model{columns: &columns{values: make([]int64, ordinals)}, views: map[uint32]ViewSet{}}}
		for i := range ordinals {
			m.columns.keys = append(m.columns.keys, fmt.Appendf(nil, "%03d", i*177%ordinals))
		}
		m.order = newOrder(m.columns, rapid.SampledFrom([]shape{newShape(4, 2), newShape(8, 3), newShape(40, 8), newShape(leafCapacity, fanout)}).Draw(t, "shape"))
		next := uint32(rapid.IntRange(0, ordinals/2).Draw(t, "loaded"))
		for ordinal := range next {
			m.columns.values[ordinal] = rapid.Int64Range(0, 31).Draw(t, "value")
			m.entries = append(m.entries, ordinal)
		}
		slices.SortFunc(m.entries, m.columns.Compare)
		if err := m.order.Load(slices.Chunk(m.entries, 7)); err != nil {
			t.Fatal(err)
		}
		m.fillAtOnce(t)
		value := int64(32)
		for range rapid.IntRange(0, 12).Draw(t, "rounds") {
			run := []uint32{}
			for range rapid.IntRange(0, 60).Draw(t, "run") {
				if next < ordinals {
					m.columns.values[next] = value + rapid.Int64Range(0, 3).Draw(t, "value")
					run, m.views[next] = append(run, next), m.set(t)
					next++
				}
			}
			value += 4
			slices.SortFunc(run, m.columns.Compare)
			m.order.InsertRun(run, nil, func(ordinal uint32) ViewSet { return m.views[ordinal] })
			m.entries = append(m.entries, run...)
			m.checked(t)
			for range rapid.IntRange(0, 30).Draw(t, "deletions") {
				m.remove(t, rapid.Uint32Range(0, ordinals-1).Draw(t, "deleted"))
			}
			if len(m.entries) > 0 {
				ordinal, set := rapid.SampledFrom(m.entries).Draw(t, "updated"), m.set(t)
				m.order.Update(ordinal, set)
				m.views[ordinal] = set
			}
			m.checked(t)
			if rapid.Bool().Draw(t, "snapshot") {
				m.held = append(m.held, m.hold(m.order.Snapshot()))
			}
		}
		m.hold(m.order.Snapshot()).compare(t)
		for _, h := range m.held {
			h.compare(t)
		}
	})
}

// fillAtOnce adds views of every kind and fills all of them.
func (m *machine) fillAtOnce(t *rapid.T) {
	var fillings []Filling
	for i := range 5 {
		v, err := m.order.AddView()
		if err != nil {
			t.Fatal(err)
		}
		m.used = m.used.With(v)
		modulus := rapid.Uint32Range(1, 40).Draw(t, "modulus")
		member := func(ordinal uint32) bool { return ordinal%modulus == 0 }
		switch i {
		case 0:
			modulus = 1
			fillings = append(fillings, Filling{View: v})
		case 1:
			continue // one that has no members
		case 2:
			dense := make([]uint64, rapid.IntRange(1, ordinals/64+1).Draw(t, "words"))
			for ordinal := range uint32(64 * len(dense)) {
				if member(ordinal) {
					dense[ordinal/64] |= 1 << (ordinal % 64)
				}
			}
			fillings = append(fillings, Filling{View: v, Members: dense})
			within := member
			member = func(ordinal uint32) bool { return int(ordinal/64) < len(dense) && within(ordinal) }
		default:
			fillings = append(fillings, Filling{View: v, Member: member})
		}
		for _, ordinal := range m.entries {
			if member(ordinal) {
				m.views[ordinal] = m.views[ordinal].With(v)
			}
		}
	}
	m.order.Fill(fillings)
	for _, ordinal := range m.entries {
		if _, known := m.views[ordinal]; !known {
			m.views[ordinal] = nil
		}
	}
	m.checked(t)
}

func (m *machine) checked(t *rapid.T) {
	if err := m.order.Check(); err != nil {
		t.Fatal(err)
	}
	if m.order.Len() != len(m.entries) {
		t.Fatalf("%d entries, want %d", m.order.Len(), len(m.entries))
	}
}
