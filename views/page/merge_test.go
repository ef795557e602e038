package page_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"cairn"
	"cairn/views/page"

	"pgregory.net/rapid"
)

// source is rows that come in batches.
type source struct {
	page.Run[int]
	rest  []int
	size  int
	asked int
}

func newSource(rows []int, size int) *source {
	return &source{Run: page.Run[int]{More: true}, rest: rows, size: size}
}

func (s *source) next() {
	s.asked++
	n := min(s.size, len(s.rest))
	s.Rows, s.rest = s.rest[:n], s.rest[n:]
	s.More = len(s.rest) > 0
}

func compare(a, b *int) int { return cmp.Compare(*a, *b) }

// merge is the first limit rows, and how many of them came from each source.
func merge(sources []*source, limit int) (rows []int, from []int) {
	runs := make([]*page.Run[int], len(sources))
	for i, each := range sources {
		runs[i] = &each.Run
	}
	from = make([]int, len(sources))
	take := func(row *int, run int) bool {
		if len(rows) == limit {
			return false
		}
		rows = append(rows, *row)
		from[run]++
		return true
	}
	for page.Merge(runs, compare, take) && len(rows) < limit {
		for _, each := range sources {
			if each.Starved() {
				each.next()
			}
		}
	}
	return rows, from
}

func TestMerge(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var sources []*source
		var all []int
		for range rapid.IntRange(0, 6).Draw(r, "sources") {
			rows := rapid.SliceOfN(rapid.IntRange(0, 50), 0, 20).Draw(r, "rows")
			slices.Sort(rows)
			all = append(all, rows...)
			sources = append(sources, newSource(rows, rapid.IntRange(1, 5).Draw(r, "size")))
		}
		slices.Sort(all)
		limit := rapid.IntRange(1, 30).Draw(r, "limit")
		got, from := merge(sources, limit)
		if want := all[:min(limit, len(all))]; !slices.Equal(got, want) {
			r.Fatalf("got %v, want %v", got, want)
		}
		left := 0
		for i, each := range sources {
			left += len(each.Rows) + len(each.rest)
			if each.asked > from[i]/each.size+1 {
				r.Fatalf("source %d was asked %d times for %d rows, %d at a time", i, each.asked, from[i], each.size)
			}
		}
		if left != len(all)-len(got) {
			r.Fatalf("%d rows are left of %d after %d", left, len(all), len(got))
		}
	})
}

func TestMergePullsOnlyWhatAPageNeeds(t *testing.T) {
	low, high := newSource([]int{1, 2, 3, 4, 5, 6}, 3), newSource([]int{10, 11, 12, 13}, 2)
	if got, _ := merge([]*source{low, high}, 3); !slices.Equal(got, []int{1, 2, 3}) {
		t.Fatal(got)
	}
	if low.asked != 1 || high.asked != 1 {
		t.Fatalf("asked %d and %d times, want once each", low.asked, high.asked)
	}
}

func TestSortIsTotal(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		types := rapid.SliceOfN(anyType, 1, 4).Draw(r, "types")
		sort := make(page.Sort, len(types))
		for i := range sort {
			sort[i] = page.Direction(rapid.Bool().Draw(r, "descending"))
		}
		draw := func() page.Position {
			p := page.Position{Key: rapid.SliceOfN(rapid.ByteRange('a', 'c'), 1, 2).Draw(r, "key")}
			for _, each := range types {
				p.Values = append(p.Values, anyValue(each).Draw(r, "value"))
			}
			return p
		}
		a, b, c := draw(), draw(), draw()
		if sort.Compare(a, b) != -sort.Compare(b, a) || sort.Compare(a, a) != 0 {
			r.Fatal("not antisymmetric")
		}
		if sort.Compare(a, b) <= 0 && sort.Compare(b, c) <= 0 && sort.Compare(a, c) > 0 {
			r.Fatal("not transitive")
		}
	})
}

func TestAbsentIsLastEitherWay(t *testing.T) {
	minus, _ := cairn.Float(math.Copysign(0, -1))
	zero, _ := cairn.Float(0)
	for _, direction := range []page.Direction{page.Ascending, page.Descending} {
		if page.CompareValues(direction, cairn.Value{}, cairn.Int(math.MinInt64)) <= 0 ||
			page.CompareValues(direction, cairn.Int(math.MaxInt64), cairn.Value{}) >= 0 {
			t.Error("an absent value is not last")
		}
		if page.CompareValues(direction, minus, zero) != 0 {
			t.Error("-0 is not 0")
		}
	}
}

func BenchmarkMergeEightSources(b *testing.B) {
	runs := make([]*page.Run[int], 8)
	rows := make([][]int, len(runs))
	for i := range 800 {
		rows[i%8] = append(rows[i%8], i)
	}
	taken := 0
	take := func(*int, int) bool { taken++; return taken < 50 }
	b.ReportAllocs()
	for b.Loop() {
		taken = 0
		for i := range runs {
			runs[i] = &page.Run[int]{Rows: rows[i], More: true}
		}
		if page.Merge(runs, compare, take) {
			b.Fatal("starved")
		}
	}
}
