package page_test

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"testing"

	"cairn"
	"cairn/views/page"

	"pgregory.net/rapid"
)

// batches is a Source over batches that counts how often it is asked.
type batches struct {
	rows  []int
	size  int
	asked int
	fail  error
}

func (b *batches) Next() ([]int, error) {
	b.asked++
	if b.fail != nil {
		return nil, b.fail
	}
	n := min(b.size, len(b.rows))
	out := b.rows[:n]
	b.rows = b.rows[n:]
	return out, nil
}

func TestMerge(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var sources []page.Source[int]
		var all []int
		for range rapid.IntRange(0, 6).Draw(r, "sources") {
			rows := rapid.SliceOfN(rapid.IntRange(0, 50), 0, 20).Draw(r, "rows")
			slices.Sort(rows)
			all = append(all, rows...)
			sources = append(sources, &batches{rows: rows, size: rapid.IntRange(1, 5).Draw(r, "size")})
		}
		slices.Sort(all)
		limit := rapid.IntRange(1, 30).Draw(r, "limit")
		got, more, err := page.Merge(cmp.Compare[int], limit, sources)
		if err != nil {
			r.Fatal(err)
		}
		if want := all[:min(limit, len(all))]; !slices.Equal(got, want) {
			r.Fatalf("got %v, want %v", got, want)
		}
		if !more && len(got) < len(all) {
			r.Fatal("more is false with rows left")
		}
		if more && len(got) < limit {
			r.Fatal("more is true on a page that is not full")
		}
	})
}

func TestMergePullsOnlyWhatAPageNeeds(t *testing.T) {
	low := &batches{rows: []int{1, 2, 3, 4, 5, 6}, size: 3}
	high := &batches{rows: []int{10, 11, 12, 13}, size: 2}
	got, more, err := page.Merge(cmp.Compare[int], 3, []page.Source[int]{low, high})
	if err != nil || !more || !slices.Equal(got, []int{1, 2, 3}) {
		t.Fatal(got, more, err)
	}
	if low.asked != 1 || high.asked != 1 {
		t.Fatalf("asked %d and %d times, want once each", low.asked, high.asked)
	}
}

func TestMergeReturnsASourcesError(t *testing.T) {
	broken := errors.New("gone")
	_, _, err := page.Merge(cmp.Compare[int], 3, []page.Source[int]{&batches{rows: []int{1}, size: 1}, &batches{fail: broken}})
	if !errors.Is(err, broken) {
		t.Fatal(err)
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
	sources := make([]page.Source[int], 8)
	rows := make([][]int, len(sources))
	for i := range 800 {
		rows[i%8] = append(rows[i%8], i)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range sources {
			sources[i] = &batches{rows: rows[i], size: 13}
		}
		if _, _, err := page.Merge(cmp.Compare[int], 50, sources); err != nil {
			b.Fatal(err)
		}
	}
}
