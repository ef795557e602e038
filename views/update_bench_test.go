package views

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"
)

// updates measures a Put that moves an entry in and out of every view of one
// order, whose sort values are distinct or four. Each size has its limits, for
// bursts of updates between two snapshots; a snapshot after each update is
// measured beside.
func updates(b *testing.B, entries int) {
	limits := []time.Duration{3 * time.Microsecond, 5 * time.Microsecond, 15 * time.Microsecond}
	if entries > 1_000_000 {
		limits = []time.Duration{5 * time.Microsecond, 8 * time.Microsecond, 20 * time.Microsecond}
	}
	for _, by := range []struct {
		name      string
		attribute cairn.AttributeID
	}{{"distinct", created}, {"four", country}} {
		for i, views := range []int{3, 10, 100} {
			b.Run(fmt.Sprintf("values=%s/views=%d", by.name, views), func(b *testing.B) {
				m := newMoves(b, entries, views, by.attribute)
				for _, burst := range []int{100_000, 1_000, 1} {
					b.Run(fmt.Sprintf("burst=%d", burst), func(b *testing.B) {
						m.measure(b, burst, m.flips)
						if burst > 1 {
							b.ReportMetric(float64(limits[i]), "limit-ns")
						}
					})
				}
				// All six attributes change, the sort's among them.
				b.Run("replaced/burst=1000", func(b *testing.B) { m.measure(b, 1_000, m.replacements) })
			})
		}
	}
}

// moves are updates of many entries, each at a distance from the one before.
type moves struct {
	views    *Views
	ordinals []uint32
	done     int
	// flips are two encodings an ordinal, in all views and in none;
	// replacements are two unlike each other.
	flips, replacements [2][]cairn.Attributes
}

func newMoves(b *testing.B, entries, views int, by cairn.AttributeID) *moves {
	b.Helper()
	var definitions []Definition
	for i := range views {
		definitions = append(definitions, Definition{View: cairn.UID(i + 1), Version: 1, Sort: []SortField{{Attribute: by, Descending: true}},
			Filter: benchFilter(fmt.Sprintf("balance >= %d", i), filter.View)})
	}
	m := &moves{views: benchViews(b, entries, definitions)}
	random := rand.New(rand.NewPCG(3, 4))
	const moved, stride = 500_000, 7_368_787 // a prime
	for i := range moved {
		ordinal := uint32(i * stride % entries)
		m.ordinals = append(m.ordinals, ordinal)
		var values []cairn.Attribute
		for i := range m.views.present.attributes {
			a := &m.views.present.attributes[i]
			values = append(values, cairn.Attribute{ID: a.spec.ID, Value: a.value(ordinal)})
		}
		for side, amount := range []int64{1_000_000, -1_000_000} {
			values[balance-country].Value = cairn.Int(amount)
			m.flips[side] = append(m.flips[side], encode(values...))
			m.replacements[side] = append(m.replacements[side], benchAttributes(random))
		}
		m.views.Put(ordinal, cairn.ShardID(ordinal%16), nil, m.flips[1][i])
	}
	return m
}

// measure puts the two sides of all ordinals in turn, with a snapshot after
// each burst.
func (m *moves) measure(b *testing.B, burst int, sides [2][]cairn.Attributes) {
	b.ReportAllocs()
	var times median
	for b.Loop() {
		i, side := m.done%len(m.ordinals), m.done/len(m.ordinals)%2
		ordinal := m.ordinals[i]
		m.views.Put(ordinal, cairn.ShardID(ordinal%16), nil, sides[side][i])
		if m.done++; m.done%burst == 0 {
			m.views.Snapshot()
		}
		times.called()
	}
	times.report(b)
}
