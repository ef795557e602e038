package pace

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSortFunc(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, run - 1, run, run + 1, 2 * run, 3*run + 7, 4 * run, 5*run - 1, 100_000} {
		for _, keys := range []int{1, 7, 1 << 30} {
			items := make([]int, n)
			for i := range items {
				items[i] = random.IntN(keys)
			}
			want := slices.Sorted(slices.Values(items))
			var p Pacer
			if SortFunc(&p, items, cmp.Compare); !slices.Equal(items, want) {
				t.Errorf("%d items of %d keys are not sorted", n, keys)
			}
		}
	}
}

func BenchmarkSortFunc(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	items := make([]uint64, 200_000)
	for i := range items {
		items[i] = random.Uint64()
	}
	room := slices.Clone(items)
	var p Pacer
	for _, each := range []struct {
		name string
		sort func()
	}{
		{"paced", func() { SortFunc(&p, room, cmp.Compare) }},
		{"slices", func() { slices.SortFunc(room, cmp.Compare) }},
	} {
		b.Run(each.name, func(b *testing.B) {
			for b.Loop() {
				copy(room, items)
				each.sort()
			}
		})
	}
}
