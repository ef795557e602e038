package router_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"sync/atomic"
	"testing"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
	"cairn/views/page"
)

// shelf is a node index of rows that are sorted once, so that what is measured
// is the router.
type shelf struct {
	router.Index
	fingerprint cairn.Fingerprint
	order       page.Sort
	rows        []cairn.ViewRow
	asked, sent *atomic.Int64
}

func (x shelf) AskView(_ context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error) {
	x.asked.Add(1)
	reply := &cairn.ViewReply{Answer: cairn.Answer{Revision: req.Epoch, Index: 9}, Fingerprint: x.fingerprint}
	if req.Asked == cairn.AskCount {
		reply.Count = uint64(len(x.rows))
		return reply, nil
	}
	begin := req.Offset
	if req.After != nil {
		begin = sort.Search(len(x.rows), func(i int) bool { return x.order.Compare(x.rows[i].Position, *req.After) > 0 })
	}
	if req.Asked == cairn.AskRank {
		reply.Count = uint64(begin)
		return reply, nil
	}
	begin = min(begin, len(x.rows))
	end := min(begin+req.Limit, len(x.rows))
	reply.Rows, reply.More = x.rows[begin:end], end < len(x.rows)
	x.sent.Add(int64(end - begin))
	return reply, nil
}

// shelves is a router over clusters whose rows are on shelves, and all rows in
// order.
type shelves struct {
	*router.Router
	all         []cairn.ViewRow
	asked, sent atomic.Int64
}

// newShelves spreads rows over clusters: placed says in which one a row is.
func newShelves(t testing.TB, clusters, rows, distinct int, placed func(row int) int) *shelves {
	t.Helper()
	world, err := bed.New(clusters, 64)
	if err != nil {
		t.Fatal(err)
	}
	things, _ := world.Map().Catalog().KeyspaceByName(bed.Things)
	sorted := []cairn.SortField{{Attribute: 1, Descending: true}}
	if err := world.SetView(catalog.View{
		UID: 77, Name: theView, Keyspace: things.UID, Fields: []cairn.AttributeID{1, 2},
		Serving: &catalog.ViewVersion{Number: 1, Sort: sorted},
	}); err != nil {
		t.Fatal(err)
	}
	s := &shelves{all: make([]cairn.ViewRow, rows)}
	red, err := cairn.String("red")
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.all {
		size := cairn.Int(int64(distinct - i*distinct/rows))
		attributes, err := cairn.NewAttributes([]cairn.Attribute{{ID: 1, Value: size}, {ID: 2, Value: red}})
		if err != nil {
			t.Fatal(err)
		}
		s.all[i] = cairn.ViewRow{
			Position: cairn.Position{Values: []cairn.Value{size}, Key: fmt.Appendf(nil, "customer-%011d", i)},
			Nodes:    []cairn.NodeID{1}, Attributes: attributes,
		}
	}
	byCluster := make([]shelf, clusters)
	for i, row := range s.all {
		at := placed(i)
		byCluster[at].rows = append(byCluster[at].rows, row)
	}
	s.Router, err = router.New(router.Config{
		Topology: world.Topology(),
		Dial: func(cluster *catalog.Cluster) (router.Index, error) {
			x := byCluster[int(cluster.UID)-0x100]
			owner, _ := world.Map().Owner(things.UID, cluster.UID)
			x.fingerprint, x.order, x.asked, x.sent = owner.Fingerprint, page.SortOf(sorted), &s.asked, &s.sent
			return x, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// spreads are how rows are spread over clusters.
var spreads = map[string]func(clusters, rows int) func(int) int{
	"by hash": func(clusters, _ int) func(int) int { return func(int) int { return rand.IntN(clusters) } },
	"by range": func(clusters, rows int) func(int) int {
		return func(row int) int { return row * clusters / rows }
	},
	"by range, backwards": func(clusters, rows int) func(int) int {
		return func(row int) int { return clusters - 1 - row*clusters/rows }
	},
	"in runs": func(clusters, _ int) func(int) int { return func(row int) int { return row / 997 % clusters } },
	"lopsided": func(clusters, _ int) func(int) int {
		return func(row int) int {
			if row%1000 == 0 {
				return rand.IntN(clusters)
			}
			return clusters - 1
		}
	},
}

// TestOffsetsOverClusters passes rows over in clusters that share them in every
// way, without having them sent.
func TestOffsetsOverClusters(t *testing.T) {
	const rows = 20_000
	for name, spread := range spreads {
		for _, clusters := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%s/clusters=%d", name, clusters), func(t *testing.T) {
				s := newShelves(t, clusters, rows, 1+rand.IntN(rows), spread(clusters, rows))
				for range 40 {
					offset, limit := rand.IntN(rows+100), 1+rand.IntN(600)
					s.asked.Store(0)
					s.sent.Store(0)
					got, err := s.QueryView(context.Background(), cairn.PageQuery{Selection: cairn.Selection{View: theView}, Offset: offset, Limit: limit})
					if err != nil {
						t.Fatal(err)
					}
					var want []string
					for _, row := range s.all[min(offset, rows):min(offset+limit, rows)] {
						want = append(want, string(row.Key))
					}
					if keys := keysOf(got.Rows); !slices.Equal(keys, want) {
						t.Fatalf("%d at %d: %d rows from %q; want %d", limit, offset, len(keys), keys[:min(1, len(keys))], len(want))
					}
					if (got.NextCursor != "") != (offset+limit < rows) {
						t.Fatalf("%d at %d: a cursor %q", limit, offset, got.NextCursor)
					}
					if sent := s.sent.Load(); sent > int64(4*(max(nearEnough, limit)+limit)+clusters*200) {
						t.Errorf("%d at %d: %d rows were sent", limit, offset, sent)
					}
					if asked := s.asked.Load(); asked > int64(60*clusters) {
						t.Errorf("%d at %d: %d questions", limit, offset, asked)
					}
				}
			})
		}
	}
}

// nearEnough is the router's.
const nearEnough = 256

// BenchmarkQueryView is the router's share of a page of 50 rows.
func BenchmarkQueryView(b *testing.B) {
	for _, clusters := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("clusters=%d", clusters), func(b *testing.B) {
			s := newShelves(b, clusters, 20_000, 5_000, spreads["by hash"](clusters, 20_000))
			benchmarkPage(b, s, cairn.PageQuery{Selection: cairn.Selection{View: theView}})
		})
	}
}

// BenchmarkQueryViewAfter is a page after another.
func BenchmarkQueryViewAfter(b *testing.B) {
	s := newShelves(b, 2, 20_000, 5_000, spreads["by hash"](2, 20_000))
	first, err := s.QueryView(context.Background(), cairn.PageQuery{Selection: cairn.Selection{View: theView}})
	if err != nil {
		b.Fatal(err)
	}
	benchmarkPage(b, s, cairn.PageQuery{Selection: cairn.Selection{View: theView}, Cursor: first.NextCursor})
}

// BenchmarkQueryViewOffset is a page in the middle of a million rows.
func BenchmarkQueryViewOffset(b *testing.B) {
	for _, name := range []string{"by hash", "by range"} {
		for _, clusters := range []int{2, 8} {
			b.Run(fmt.Sprintf("%s/clusters=%d", name, clusters), func(b *testing.B) {
				s := newShelves(b, clusters, 1_000_000, 100_000, spreads[name](clusters, 1_000_000))
				benchmarkPage(b, s, cairn.PageQuery{Selection: cairn.Selection{View: theView}, Offset: 600_000})
			})
		}
	}
}

func benchmarkPage(b *testing.B, s *shelves, query cairn.PageQuery) {
	ctx := context.Background()
	s.asked.Store(0)
	s.sent.Store(0)
	b.ReportAllocs()
	pages := 0
	for b.Loop() {
		got, err := s.QueryView(ctx, query)
		if err != nil || len(got.Rows) != 50 {
			b.Fatal(len(got.Rows), err)
		}
		pages++
	}
	b.ReportMetric(float64(s.asked.Load())/float64(pages), "questions/page")
	b.ReportMetric(float64(s.sent.Load())/float64(pages), "rows/page")
}
