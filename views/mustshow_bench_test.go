package views

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"
)

// BenchmarkMustShow is the table of what the projections must show, each line
// with its median and its limit. CAIRN_BENCH_LARGE=1 adds 10 million entries.
func BenchmarkMustShow(b *testing.B) {
	sizes := []int{1_000_000}
	if os.Getenv("CAIRN_BENCH_LARGE") != "" {
		sizes = append(sizes, 10_000_000)
	}
	for _, entries := range sizes {
		b.Run(fmt.Sprintf("entries=%dM", entries/1_000_000), func(b *testing.B) {
			s := &shown{entries: entries}
			b.Run("first50", s.firstOrdinals)
			b.Run("page50", s.firstRows)
			b.Run("count", s.counts)
			b.Run("where-equal", s.whereEqual)
			b.Run("where-range", s.whereRange)
			b.Run("group", s.groups)
			b.Run("aggregate", s.aggregates)
			b.Run("memory", s.memory)
			s.snapshot = nil // before others are made
			b.Run("update", func(b *testing.B) { updates(b, entries) })
		})
	}
}

// shown is one size's projections, made when a benchmark first asks.
type shown struct {
	entries  int
	snapshot *Snapshot
	// used and more are the bytes of memory an entry: in all but keys, and of
	// one more view.
	used, more float64
}

// The views that are added when the memory has been measured: half of all,
// one in ten thousand, and an order by few values that goes with created.
const (
	viewHalf cairn.UID = iota + 10
	viewRare
	viewByCountry
)

func (s *shown) load(b *testing.B) *Snapshot {
	b.Helper()
	if s.snapshot != nil {
		return s.snapshot
	}
	before := heap()
	v := benchViews(b, s.entries, benchDefinitions())
	const keyBytes = 20 + 4
	s.used = (heap()-before)/float64(s.entries) - keyBytes
	define := func(uid cairn.UID, where string, sort SortField) {
		d := Definition{View: uid, Version: 1, Sort: []SortField{sort}}
		if where != "" {
			d.Filter = benchFilter(where, filter.View)
		}
		if err := v.Define(d); err != nil {
			b.Fatal(err)
		}
		for v.Build(1 << 20) {
			continue
		}
	}
	before = heap()
	define(viewHalf, fmt.Sprintf("balance >= %d", balanceAt(0.5)), SortField{Attribute: created, Descending: true})
	s.more = (heap() - before) / float64(s.entries)
	define(viewRare, fmt.Sprintf("balance >= %d", balanceAt(0.9999)), SortField{Attribute: created, Descending: true})
	define(viewByCountry, "", SortField{Attribute: country, Descending: true})
	s.snapshot = v.Snapshot()
	return s.snapshot
}

// heap is how many bytes are in use.
func heap() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// line measures one line of the table. Its limit is in the column limit-ns.
func line(b *testing.B, name string, limit time.Duration, ask func() error) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		var m median
		for b.Loop() {
			if err := ask(); err != nil {
				b.Fatal(err)
			}
			m.called()
		}
		m.report(b)
		b.ReportMetric(float64(limit), "limit-ns")
	})
}

// median is of what some calls in a row take, a call, and the least of that: on
// a machine that does other work as well they say more than the mean.
type median struct {
	samples      []float64
	batch, calls int
	began        time.Time
}

// called notes that a call has ended and the next begins.
func (m *median) called() {
	if m.calls++; m.calls < m.batch {
		return
	}
	took := time.Since(m.began)
	switch {
	case m.batch == 0:
		m.batch = 1
	case took < 20*time.Microsecond:
		m.batch *= 2 // so few are lost in the clock
	default:
		m.samples = append(m.samples, float64(took)/float64(m.batch))
	}
	m.calls, m.began = 0, time.Now()
}

func (m *median) report(b *testing.B) {
	if len(m.samples) > 0 {
		slices.Sort(m.samples)
		b.ReportMetric(m.samples[len(m.samples)/2], "median-ns")
		b.ReportMetric(m.samples[0], "least-ns")
	}
}

// selectivities are the views that pages are read of, and what finding their
// first ordinals may take.
var selectivities = []struct {
	name  string
	view  cairn.UID
	part  float64
	limit time.Duration
}{
	{"view=100%", viewAll, 1, 500},
	{"view=12.9%", viewRecent, 0.129, 500},
	{"view=0.34%", viewRich, 0.0034, 500},
	{"view=0.01%", viewRare, 0.0001, 2_000},
}

func of(view cairn.UID, where string) Selection {
	sel := Selection{View: view, Version: 1}
	if where != "" {
		sel.Where = benchFilter(where, filter.Where)
	}
	return sel
}

func (s *shown) firstOrdinals(b *testing.B) {
	snapshot := s.load(b)
	room := make([]uint32, 51)
	for _, each := range selectivities {
		for _, offset := range []int{0, int(each.part * 0.9 * float64(s.entries))} {
			name, limit := each.name, each.limit
			if offset > 0 {
				name, limit = fmt.Sprintf("%s/offset=%d", name, offset), limit+2_000
			}
			query := Query{Selection: of(each.view, ""), Limit: 50, Offset: offset}
			line(b, name, limit, func() error {
				_, _, err := snapshot.Ordinals(query, room)
				return err
			})
		}
	}
}

func (s *shown) firstRows(b *testing.B) {
	snapshot := s.load(b)
	for _, each := range selectivities {
		pages(b, snapshot, each.name, 10*time.Microsecond, Query{Selection: of(each.view, ""), Limit: 50})
	}
	q := Query{Selection: of(viewRecent, ""), Limit: 50, Offset: s.entries / 20}
	p, err := snapshot.Page(q)
	if err != nil {
		b.Fatal(err)
	}
	q.Offset, q.After = 0, &p.Rows[0].Position
	pages(b, snapshot, "view=12.9%/cursor", 10*time.Microsecond, q)
}

// pages measures a page; -v shows how it was found.
func pages(b *testing.B, s *Snapshot, name string, limit time.Duration, q Query) {
	line(b, name, limit, func() error {
		_, err := s.Page(q)
		return err
	})
	p, err := s.Page(q)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%s: %d rows, %s", name, len(p.Rows), p.Plan)
}

func (s *shown) counts(b *testing.B) {
	snapshot := s.load(b)
	for _, each := range selectivities {
		countOf(b, snapshot, each.name, 100, of(each.view, ""))
	}
}

func countOf(b *testing.B, s *Snapshot, name string, limit time.Duration, sel Selection) {
	line(b, name, limit, func() error {
		_, err := s.Count(sel)
		return err
	})
}

// whereEqual narrows by a value that is independent of the order, by the one
// that comes first in it and by the one that comes last.
func (s *shown) whereEqual(b *testing.B) {
	snapshot := s.load(b)
	const limit = 50 * time.Microsecond
	for _, each := range selectivities[:3] {
		for _, where := range []string{`tier == "t1"`, `country == "c3"`, `country == "c0"`} {
			name := fmt.Sprintf("%s/%s", each.name, where)
			pages(b, snapshot, name+"/page", limit, Query{Selection: of(each.view, where), Limit: 50})
			countOf(b, snapshot, name+"/count", limit, of(each.view, where))
		}
	}
}

// whereRange narrows by ranges that are no part of the order: wide and narrow
// ones, and of an attribute that goes with the order, at its beginning and end.
func (s *shown) whereRange(b *testing.B) {
	snapshot := s.load(b)
	const limit = 2 * time.Millisecond
	for _, each := range []struct {
		name  string
		view  cairn.UID
		where string
	}{
		{"view=12.9%/half", viewRecent, "score > 0.0"},
		{"view=12.9%/1%", viewRecent, "score > 2.326"},
		{"view=12.9%/0.01%", viewRecent, "score > 3.719"},
		{"view=100%/half", viewAll, fmt.Sprintf("created < %d", createdAt(0.5))},
		{"view=100%/1%", viewAll, fmt.Sprintf("created < %d", createdAt(0.01))},
		{"view=100%/0.01%", viewAll, fmt.Sprintf("created < %d", createdAt(0.0001))},
		{"correlated/first-1%", viewByCountry, fmt.Sprintf("created >= %d", createdAt(0.99))},
		{"correlated/last-10%", viewByCountry, fmt.Sprintf("created < %d", createdAt(0.1))},
		{"correlated/last-1%", viewByCountry, fmt.Sprintf("created < %d", createdAt(0.01))},
	} {
		pages(b, snapshot, each.name+"/page", limit, Query{Selection: of(each.view, each.where), Limit: 50})
		countOf(b, snapshot, each.name+"/count", limit, of(each.view, each.where))
	}
}

func (s *shown) groups(b *testing.B) {
	snapshot := s.load(b)
	for _, each := range selectivities[:3] {
		line(b, each.name, 60*time.Microsecond, func() error {
			_, err := snapshot.GroupCount(of(each.view, ""), country)
			return err
		})
	}
}

// aggregates asks for the first time, when no block has been looked at for the
// view, and again, when none has changed since. It also measures what this machine takes to go over a slice of the
// same numbers by a bitmap of the library, which is no limit but a yardstick.
func (s *shown) aggregates(b *testing.B) {
	snapshot := s.load(b)
	for _, each := range []struct {
		name      string
		attribute cairn.AttributeID
	}{{"nanoseconds", created}, {"any-int", balance}, {"any-float", score}} {
		line(b, "view=12.9%/"+each.name+"/first", 200*time.Microsecond, func() error {
			clear(snapshot.state.tallies.tables)
			_, err := snapshot.Aggregate(of(viewRecent, ""), each.attribute)
			return err
		})
		line(b, "view=12.9%/"+each.name+"/again", 200*time.Microsecond, func() error {
			_, err := snapshot.Aggregate(of(viewRecent, ""), each.attribute)
			return err
		})
	}
	members, _, err := snapshot.Export(viewRecent, 1)
	if err != nil {
		b.Fatal(err)
	}
	numbers := make([]int64, s.entries)
	for i := range numbers {
		numbers[i], _ = snapshot.state.Number(balance, uint32(i))
	}
	batch := make([]uint32, 4_096)
	b.Run("view=12.9%/yardstick", func(b *testing.B) {
		var m median
		for b.Loop() {
			sum, least, most := int64(0), numbers[0], numbers[0]
			for it := members.ManyIterator(); ; {
				n := it.NextMany(batch)
				if n == 0 {
					break
				}
				for _, ordinal := range batch[:n] {
					sum += numbers[ordinal]
					least, most = min(least, numbers[ordinal]), max(most, numbers[ordinal])
				}
			}
			runtime.KeepAlive(sum + least + most)
			m.called()
		}
		m.report(b)
	})
}

func (s *shown) memory(b *testing.B) {
	snapshot := s.load(b)
	for b.Loop() {
		continue
	}
	b.ReportMetric(s.used, "B/entry")
	b.ReportMetric(56, "limit-B/entry")
	b.ReportMetric(s.more, "B/entry/view")
	b.ReportMetric(0.4, "limit-B/entry/view")
	u := snapshot.Usage()
	each := func(bytes int64) float64 { return float64(bytes) / float64(s.entries) }
	b.Logf("with the views added after: keys %.2f, members %.2f, shards %.2f, orders %.2f, bitsets %.2f, in all %.2f",
		each(u.Keys), each(u.Members), each(u.Shards), each(u.Orders), each(u.Bitsets), each(u.Total()))
	for _, a := range benchSchema.Attributes() {
		b.Logf("%s %.2f", a.Name, each(u.Attributes[a.ID]))
	}
}
