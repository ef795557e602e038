package order

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
)

// The benchmarks run with 1,000,000 entries, and with 10,000,000 where
// CAIRN_BENCH_LARGE is set.

// table is an owner as the real one is: a column and keys of 20 bytes, side by
// side in one chunk of memory each.
type table struct {
	column []int64
	keys   []byte
}

const keyLength = 20

func (t *table) key(ordinal uint32) []byte {
	from := int(ordinal) * keyLength
	return t.keys[from : from+keyLength]
}

func (t *table) Compare(a, b uint32) int {
	if order := cmp.Compare(t.column[a], t.column[b]); order != 0 {
		return order
	}
	return bytes.Compare(t.key(a), t.key(b))
}

func (t *table) Prefix(ordinal uint32) uint64 { return uint64(t.column[ordinal]) ^ 1<<63 }

// sought is the position of an entry.
type sought struct {
	*table
	ordinal uint32
}

func (s *sought) Compare(ordinal uint32) int { return s.table.Compare(ordinal, s.ordinal) }
func (s *sought) Prefix() uint64             { return s.table.Prefix(s.ordinal) }

// loaded is an order at rest; tests of one size share it.
type loaded struct {
	*table
	order *Order
	n     int
}

func sizes() []int {
	if os.Getenv("CAIRN_BENCH_LARGE") != "" {
		return []int{10_000_000}
	}
	return []int{1_000_000}
}

// load makes an order over n entries, of as many different values or of few.
func load(n, distinct int) *loaded {
	random := rand.New(rand.NewPCG(1, 2))
	t := &table{column: make([]int64, n), keys: make([]byte, 0, n*keyLength)}
	sorted := make([]uint32, n)
	for i := range n {
		t.keys = append(t.keys, keyOf(uint32(i))...)
		t.column[i] = random.Int64N(int64(distinct))
		sorted[i] = uint32(i)
	}
	slices.SortFunc(sorted, t.Compare)
	o := New(t)
	if err := o.Load(slices.Values([][]uint32{sorted})); err != nil {
		panic(err)
	}
	return &loaded{t, o, n}
}

// share is whether an entry is in a view of a selectivity: by a hash, so that
// filter and sort are independent.
func share(ordinal uint32, view int, selectivity float64) bool {
	x := (uint64(ordinal)+1)*0x9e3779b97f4a7c15 ^ uint64(view)*0xbf58476d1ce4e5b9
	x = (x ^ x>>31) * 0x94d049bb133111eb
	x ^= x >> 29
	return float64(x>>11)/(1<<53) < selectivity
}

var selectivities = []float64{1, 0.7, 0.129, 0.0034, 0.0001}

// addViews adds views and fills them.
func (l *loaded) addViews(selectivities ...float64) []View {
	var views []View
	for i, selectivity := range selectivities {
		v, err := l.order.AddView()
		if err != nil {
			panic(err)
		}
		views = append(views, v)
		l.order.FillView(v, func(ordinal uint32) bool { return share(ordinal, i, selectivity) })
	}
	return views
}

func percent(selectivity float64) string { return fmt.Sprintf("%.4g%%", selectivity*100) }

func BenchmarkRead(b *testing.B) {
	for _, n := range sizes() {
		l := load(n, 1<<60)
		views := l.addViews(selectivities...)
		r := l.order.Snapshot()
		page := make([]uint32, 50)
		random := rand.New(rand.NewPCG(3, 4))
		var all []uint32
		for run := range r.Runs() {
			all = append(all, run...)
		}
		for i, v := range views {
			name := func(what string) string {
				return fmt.Sprintf("%s/entries=%d/view=%s", what, n, percent(selectivities[i]))
			}
			count := r.Count(v)
			offsets := make([]int, 4096)
			places := make([]sought, 4096)
			for j := range offsets {
				offsets[j] = random.IntN(count)
				places[j] = sought{l.table, all[random.IntN(n)]}
			}
			b.Run(name("first50"), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					it := r.First(v)
					it.Fill(page)
				}
			})
			b.Run(name("last50"), func(b *testing.B) {
				for b.Loop() {
					it := r.End(v)
					it.FillBack(page)
				}
			})
			b.Run(name("offset"), func(b *testing.B) {
				for j := 0; b.Loop(); j++ {
					r.At(v, offsets[j&4095])
				}
			})
			b.Run(name("offset50"), func(b *testing.B) {
				for j := 0; b.Loop(); j++ {
					it := r.At(v, offsets[j&4095])
					it.Fill(page)
				}
			})
			b.Run(name("seek"), func(b *testing.B) {
				for j := 0; b.Loop(); j++ {
					r.Seek(v, &places[j&4095])
				}
			})
			b.Run(name("seek50"), func(b *testing.B) {
				for j := 0; b.Loop(); j++ {
					it := r.SeekPast(v, &places[j&4095])
					it.Fill(page)
				}
			})
			b.Run(name("rank"), func(b *testing.B) {
				its := make([]Iterator, 4096)
				for j := range its {
					its[j] = r.At(v, offsets[j])
				}
				for j := 0; b.Loop(); j++ {
					its[j&4095].Rank()
				}
			})
			b.Run(name("and50"), func(b *testing.B) {
				for b.Loop() {
					it := r.First(v).And(views[2])
					it.Fill(page)
				}
			})
			b.Run(name("select50"), func(b *testing.B) {
				for b.Loop() {
					it := r.First(v)
					it.Select(page, 100_000, func(ordinal uint32) bool { return l.column[ordinal]&7 == 0 })
				}
			})
			b.Run(name("roaring50"), func(b *testing.B) {
				bitmap := roaring.New()
				for ordinal := range uint32(n) {
					if l.column[ordinal]&7 == 0 {
						bitmap.Add(ordinal)
					}
				}
				for b.Loop() {
					it := r.First(v)
					it.Select(page, 100_000, bitmap.Contains)
				}
			})
			b.Run(name("count"), func(b *testing.B) {
				for b.Loop() {
					r.Count(v)
				}
			})
		}
	}
}

// BenchmarkUpdate moves a random entry to a random place, and in and out of
// views of all selectivities, with a snapshot after every so many updates.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range sizes() {
		for _, distinct := range []int{1 << 60, 4} {
			for _, views := range []int{3, 10, 100} {
				b.Run(fmt.Sprintf("entries=%d/distinct=%d/views=%d", n, min(distinct, n), views), func(b *testing.B) {
					benchmarkUpdate(b, n, distinct, views)
				})
			}
		}
	}
}

func benchmarkUpdate(b *testing.B, n, distinct, views int) {
	l := load(n, distinct)
	var shares []float64
	for i := range views {
		shares = append(shares, selectivities[i%len(selectivities)])
	}
	l.addViews(shares...)
	before := l.order.Snapshot().Usage()
	random := rand.New(rand.NewPCG(5, 6))
	sets := make([]ViewSet, 64)
	for i := range sets {
		for v, selectivity := range shares {
			if share(uint32(i), v, selectivity) {
				sets[i] = sets[i].With(View(v))
			}
		}
	}
	var reader Reader
	for _, every := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("snapshot=%d", every), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				ordinal := uint32(random.IntN(n))
				if !l.order.Delete(ordinal) {
					b.Fatal("an entry is gone")
				}
				l.column[ordinal] = random.Int64N(int64(distinct))
				l.order.Insert(ordinal, sets[i&63])
				if i%every == 0 {
					reader = l.order.Snapshot()
				}
			}
		})
	}
	b.Run("in-place/snapshot=16", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			l.order.Update(uint32(random.IntN(n)), sets[i&63])
			if i%16 == 0 {
				reader = l.order.Snapshot()
			}
		}
	})
	// What it takes is a matter of how much of the order has been moved.
	b.Run("usage", func(b *testing.B) {
		after := reader.Usage()
		for b.Loop() {
			after = l.order.Snapshot().Usage()
		}
		b.ReportMetric(float64(before.Order)/float64(n), "B/entry-before")
		b.ReportMetric(float64(after.Order)/float64(n), "B/entry-after")
		b.ReportMetric(float64(before.Views)/float64(n*views), "B/entry/view-before")
		b.ReportMetric(float64(after.Views)/float64(n*views), "B/entry/view-after")
	})
}

// BenchmarkAppend inserts at the right edge, as entries sorted by the time of
// their arrival are, and at the left.
func BenchmarkAppend(b *testing.B) {
	for name, sign := range map[string]int64{"right": 1, "left": -1} {
		b.Run(name, func(b *testing.B) {
			t := &table{}
			o := New(t)
			v, _ := o.AddView()
			all := ViewSet{}.With(v)
			for i := 0; b.Loop(); i++ {
				t.column = append(t.column, sign*int64(i))
				t.keys = append(t.keys, keyOf(uint32(i))...)
				o.Insert(uint32(i), all)
				if i%16 == 0 {
					o.Snapshot()
				}
			}
			b.ReportMetric(float64(o.Snapshot().Usage().Order)/float64(o.Len()), "B/entry")
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range sizes() {
		l := load(n, 1<<60)
		var sorted []uint32
		for run := range l.order.Snapshot().Runs() {
			sorted = append(sorted, run...)
		}
		b.Run(fmt.Sprintf("load/entries=%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := New(l.table).Load(slices.Values([][]uint32{sorted})); err != nil {
					b.Fatal(err)
				}
			}
		})
		for i, selectivity := range selectivities {
			bitmap := roaring.New()
			for ordinal := range uint32(n) {
				if share(ordinal, i, selectivity) {
					bitmap.Add(ordinal)
				}
			}
			var bytesBefore, bytesAfter Usage
			b.Run(fmt.Sprintf("fill/entries=%d/view=%s", n, percent(selectivity)), func(b *testing.B) {
				for b.Loop() {
					v, _ := l.order.AddView()
					bytesBefore = l.order.Snapshot().Usage()
					l.order.FillViewFrom(v, bitmap)
					bytesAfter = l.order.Snapshot().Usage()
					b.StopTimer()
					l.order.DropView(v)
					b.StartTimer()
				}
				b.ReportMetric(float64(bytesAfter.Views-bytesBefore.Views)/float64(n), "B/entry")
			})
		}
		runtime.GC()
	}
}
