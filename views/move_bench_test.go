package views

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cairn"
	"cairn/views/filter"
)

// BenchmarkMove changes one attribute, so that an entry moves in and out of
// every view of one order, by sort values that are distinct or four.
func BenchmarkMove(b *testing.B) {
	const entries = 200_000
	for _, by := range []cairn.AttributeID{created, country} {
		for _, views := range []int{3, 10, 100} {
			v := New(benchSchema)
			for i := range views {
				d := Definition{View: cairn.UID(i + 1), Version: 1, Sort: []SortField{{by, true}},
					Filter: benchFilter(fmt.Sprintf("balance >= %d", 500_000+i), filter.View)}
				if err := v.Define(d); err != nil {
					b.Fatal(err)
				}
			}
			random := rand.New(rand.NewPCG(1, 2))
			records := make([][2]cairn.Attributes, entries)
			for i := range records {
				records[i][0] = benchAttributes(random)
				for side, amount := range []int64{0, 900_000} {
					change, err := cairn.NewAttributes([]cairn.Attribute{{ID: balance, Value: cairn.Int(amount)}})
					if err != nil {
						b.Fatal(err)
					}
					records[i][side] = records[i][0].Merge(change)
				}
				v.Put(uint32(i), 1, benchKey(i), records[i][0])
			}
			sides := make([]uint8, entries)
			for _, every := range []int{1, 16, 256} {
				b.Run(fmt.Sprintf("by=%d/views=%d/snapshot=%d", by, views, every), func(b *testing.B) {
					n := 0
					b.ReportAllocs()
					for b.Loop() {
						i := random.IntN(entries)
						sides[i] ^= 1
						v.Put(uint32(i), 1, nil, records[i][sides[i]])
						if n++; n%every == 0 {
							v.Snapshot()
						}
					}
				})
			}
		}
	}
}
