package router_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

// crowd is very many identical questions at once, to routers over one bed.
type crowd struct {
	*bed.Bed
	routers    []*router.Router
	topologies []*bed.Topology // theirs
	// asked counts what reaches the indexes, by cluster; joined the parts that
	// others were asking for.
	mu     sync.Mutex
	asked  map[string]int
	joined atomic.Int64
	// hold holds an index's answer back.
	hold func(cluster string)
}

// crowdSize is how many there are: 300, or what CAIRN_CROWD says (make crowd).
func crowdSize(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CAIRN_CROWD")
	if text == "" {
		return 300
	}
	size, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// newCrowd makes a crowd; tune may change how its routers are made, by their number.
func newCrowd(t *testing.T, clusters, routers int, tune ...func(i int, config *router.Config)) *crowd {
	t.Helper()
	b, err := bed.New(clusters, 8)
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{Bed: b, asked: map[string]int{}, hold: func(string) {}}
	b.Asked = func(cluster string, _ *cairn.ViewRequest) {
		c.mu.Lock()
		c.asked[cluster]++
		c.mu.Unlock()
		c.hold(cluster)
	}
	things, _ := b.Map().Catalog().KeyspaceByName(bed.Things)
	view := catalog.View{UID: 77, Name: theView, Keyspace: things.UID, Serving: &catalog.ViewVersion{Number: 1, Sort: []cairn.SortField{{Attribute: 1}}}}
	if err := b.SetView(view); err != nil {
		t.Fatal(err)
	}
	b.NoteAll()
	for i := range routers {
		topology := b.Topology()
		config := router.Config{Topology: topology, Dial: b.Dial, Events: router.Events{Question: func(e router.QuestionEvent) {
			if e.Source == router.SourceJoined {
				c.joined.Add(1)
			}
		}}}
		for _, change := range tune {
			change(i, &config)
		}
		r, err := router.New(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		c.routers, c.topologies = append(c.routers, r), append(c.topologies, topology)
	}
	for i := range 100 {
		write := cairn.Write{Operation: cairn.Put, Key: fmt.Appendf(nil, "k%03d", i), Attributes: cairn.NamedValues{{Name: "size", Value: cairn.Int(int64(i))}}}
		if _, _, err := c.routers[0].Put(t.Context(), bed.Things, write, cairn.RequestID{}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// query asks for a page and tells whether it is the right one.
func (c *crowd) query(ctx context.Context, router int) error {
	page, err := c.routers[router].QueryView(ctx, cairn.PageQuery{Selection: cairn.Selection{View: theView, Where: "size >= 10"}, Limit: 20})
	if err != nil {
		return err
	}
	for i := range 20 {
		if len(page.Rows) != 20 || string(page.Rows[i].Key) != fmt.Sprintf("k%03d", i+10) {
			return fmt.Errorf("a page of %d rows", len(page.Rows))
		}
	}
	// What is one's own may be changed.
	for i := range page.Rows {
		clear(page.Rows[i].Key)
	}
	return nil
}

// TestIdenticalColdQueriesAreOneOfEachRouter has a crowd ask at once over three
// routers.
func TestIdenticalColdQueriesAreOneOfEachRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const routers = 3
		callers := crowdSize(t)
		c := newCrowd(t, 2, routers)
		release := make(chan struct{})
		c.hold = func(string) { <-release }
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				if err := c.query(t.Context(), i%routers); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(release)
		all.Wait()
		for cluster, times := range c.asked {
			if times != routers {
				t.Errorf("%s was asked %d times", cluster, times)
			}
		}
		if got := c.joined.Load(); len(c.asked) != 2 || got != int64(2*(callers-routers)) {
			t.Errorf("asked %v, %d joined", c.asked, got)
		}
	})
}

// TestTheFirstQuerysTroubleIsNobodyElses has the one who asks for all be cancelled,
// or the index fail under him: all others have their answer.
func TestTheFirstQuerysTroubleIsNobodyElses(t *testing.T) {
	others := crowdSize(t) - 1
	for _, trouble := range []string{"cancelled", "panics"} {
		t.Run(trouble, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, 1, 1)
				release, again := make(chan struct{}), make(chan struct{})
				var times atomic.Int64
				c.hold = func(string) {
					if times.Add(1) > 1 {
						<-again
						return
					}
					<-release
					if trouble == "panics" {
						panic("a defect")
					}
				}
				first, cancel := context.WithCancel(t.Context())
				defer cancel()
				var all sync.WaitGroup
				all.Go(func() {
					defer func() {
						if p := recover(); (p != nil) != (trouble == "panics") {
							t.Errorf("panicked with %v", p)
						}
					}()
					if err := c.query(first, 0); !errors.Is(err, context.Canceled) {
						t.Errorf("the first one: %v", err)
					}
				})
				synctest.Wait()
				var right atomic.Int64
				for range others {
					all.Go(func() {
						if err := c.query(t.Context(), 0); err != nil {
							t.Error(err)
							return
						}
						right.Add(1)
					})
				}
				synctest.Wait()
				if trouble == "cancelled" {
					cancel()
					synctest.Wait()
				}
				close(release)
				synctest.Wait()
				close(again)
				all.Wait()
				want := map[string]int64{"cancelled": 1, "panics": 2}[trouble]
				if right.Load() != int64(others) || times.Load() != want {
					t.Errorf("%d of %d right; asked %d times", right.Load(), others, times.Load())
				}
			})
		})
	}
}

// TestQuestionsThatDifferAreNotOne asks everything that a request has, each with one
// thing changed, while all others are under way.
func TestQuestionsThatDifferAreNotOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 1, 1)
		release := make(chan struct{})
		c.hold = func(string) { <-release }
		r, selection := c.routers[0], cairn.Selection{View: theView}
		ask := func(query cairn.PageQuery) func() error {
			return func() error { _, err := r.QueryView(t.Context(), query); return err }
		}
		at := func(change func(*cairn.PageQuery)) func() error {
			query := cairn.PageQuery{Selection: selection, Limit: 10}
			change(&query)
			return ask(query)
		}
		group := func(by ...string) func() error {
			return func() error {
				_, err := r.GroupView(t.Context(), cairn.GroupQuery{Selection: selection, By: by})
				return err
			}
		}
		questions := []func() error{
			at(func(*cairn.PageQuery) {}),
			at(func(q *cairn.PageQuery) { q.Limit = 11 }),
			at(func(q *cairn.PageQuery) { q.Offset = 1 }),
			at(func(q *cairn.PageQuery) { q.Where = "size > 1" }),
			at(func(q *cairn.PageQuery) { q.Where = "size > 2" }),
			at(func(q *cairn.PageQuery) { q.OrderBy = []string{"colour"} }),
			at(func(q *cairn.PageQuery) { q.OrderBy = []string{"-colour"} }),
			at(func(q *cairn.PageQuery) { q.Fields = []string{"size"} }),
			at(func(q *cairn.PageQuery) { q.Fields = []string{"size", "colour"} }),
			at(func(q *cairn.PageQuery) { q.Explain = true }),
			at(func(q *cairn.PageQuery) { q.Freshness.Level = cairn.Linearizable }),
			at(func(q *cairn.PageQuery) { q.Freshness.Level = cairn.AtLeast }),
			group("size"), group("colour"), group("size", "colour"), group("colour", "size"),
			func() error { _, err := r.CountView(t.Context(), selection); return err },
			func() error { _, err := r.AggregateView(t.Context(), selection, "size"); return err },
			func() error {
				_, err := r.ExplainView(t.Context(), theView, cairn.Key("k001"), cairn.Freshness{})
				return err
			},
			func() error {
				_, err := r.ExplainView(t.Context(), theView, cairn.Key("k002"), cairn.Freshness{})
				return err
			},
		}
		var all sync.WaitGroup
		for _, question := range slices.Concat(questions, questions) {
			all.Go(func() {
				if err := question(); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // so that a linearizable one finds the other sent
		}
		// A linearizable one does not join what has been sent.
		if got := c.asked["c0"]; got != len(questions)+1 {
			t.Errorf("%d questions of %d kinds, of which one is linearizable", got, len(questions))
		}
		close(release)
		all.Wait()
	})
}
