package router_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/router/rendezvous"
)

// fleet is a crowd whose routers share their questions.
type fleet struct {
	*crowd
	// owner is the router that all questions belong to; below 0 each has its own.
	owner atomic.Int64
	// hop is what becomes of a part on its way to another router; nil: it gets there.
	hop func(ctx context.Context, part *router.Part, to router.Member) (*cairn.ViewReply, error)

	mu      sync.Mutex
	sources map[router.Source]int
}

func newFleet(t *testing.T, clusters, routers int) *fleet {
	t.Helper()
	f := &fleet{sources: map[router.Source]int{}}
	f.owner.Store(-1)
	var names []string
	for i := range routers {
		names = append(names, fmt.Sprint(i))
	}
	members := rendezvous.Of(names)
	f.crowd = newCrowd(t, clusters, routers, func(i int, config *router.Config) {
		config.Fleet = func(question string) router.Member {
			owner := int(f.owner.Load())
			if owner < 0 {
				owner = int(members.Owner(question)[0] - '0')
			}
			if owner == i {
				return nil
			}
			return hopTo{f, owner}
		}
		joined := config.Events.Question
		config.Events.Question = func(e router.QuestionEvent) {
			joined(e)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.sources[e.Source]++
		}
	})
	return f
}

// hopTo is a router as another one reaches it. What panics there is an error here.
type hopTo struct {
	fleet *fleet
	to    int
}

func (h hopTo) AnswerPart(ctx context.Context, part *router.Part) (reply *cairn.ViewReply, err error) {
	defer func() {
		if p := recover(); p != nil {
			reply, err = nil, errors.New("it panicked")
		}
	}()
	if h.fleet.hop != nil {
		return h.fleet.hop(ctx, part, h.fleet.routers[h.to])
	}
	return h.fleet.routers[h.to].AnswerPart(ctx, part)
}

// TestIdenticalColdQueriesAreOneOfTheFleet has a crowd ask at once over three routers.
func TestIdenticalColdQueriesAreOneOfTheFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const routers, clusters = 3, 2
		callers := crowdSize(t)
		f := newFleet(t, clusters, routers)
		release := make(chan struct{})
		f.hold = func(string) { <-release }
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				if err := f.query(t.Context(), i%routers); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(release)
		all.Wait()
		for cluster, times := range f.asked {
			if times != 1 {
				t.Errorf("%s was asked %d times", cluster, times)
			}
		}
		// Each cluster's part came from the index to whoever was first at its owner,
		// and to each other router from there.
		if len(f.asked) != clusters || f.sources[router.SourceIndex] != clusters || f.sources[router.SourceFleet] != clusters*(routers-1) {
			t.Errorf("asked %v, heard %v", f.asked, f.sources)
		}
	})
}

// TestTheFleetsFirstQuerysTroubleIsNobodyElses has the one who asks for all be cancelled,
// or the index fail under the owner: all others have their answer.
func TestTheFleetsFirstQuerysTroubleIsNobodyElses(t *testing.T) {
	others := crowdSize(t) - 1
	for trouble, want := range map[string]int64{"cancelled": 1, "panics": 3} {
		t.Run(trouble, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 1, 3)
				f.owner.Store(2)
				release, again := make(chan struct{}), make(chan struct{})
				var times atomic.Int64
				f.hold = func(string) {
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
					// The owner's panic is not his: he asks the index.
					if err := f.query(first, 0); (err != nil) != (trouble == "cancelled") {
						t.Errorf("the first one: %v", err)
					}
				})
				synctest.Wait()
				var right atomic.Int64
				for i := range others {
					all.Go(func() {
						if err := f.query(t.Context(), i%3); err != nil {
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
				if right.Load() != int64(others) || times.Load() != want {
					t.Errorf("%d of %d right; asked %d times", right.Load(), others, times.Load())
				}
			})
		})
	}
}

// TestALostOwnerIsOneMoreMiss has the owner of all questions fail in every way.
func TestALostOwnerIsOneMoreMiss(t *testing.T) {
	garble := func(change func(reply *cairn.ViewReply)) func(context.Context, *router.Part, router.Member) (*cairn.ViewReply, error) {
		return func(ctx context.Context, part *router.Part, to router.Member) (*cairn.ViewReply, error) {
			reply, err := to.AnswerPart(ctx, part)
			if err != nil {
				return nil, err
			}
			garbled := *reply
			change(&garbled)
			return &garbled, nil
		}
	}
	fail := func(err error) func(context.Context, *router.Part, router.Member) (*cairn.ViewReply, error) {
		return func(context.Context, *router.Part, router.Member) (*cairn.ViewReply, error) { return nil, err }
	}
	for trouble, hop := range map[string]func(context.Context, *router.Part, router.Member) (*cairn.ViewReply, error){
		"is dead":         fail(cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "nobody is there")),
		"refuses":         fail(cairn.Invalid("where", "FILTER_INVALID", "no such attribute")),
		"wants a new map": fail(cairn.Errorf(cairn.KindStale, "KEYSPACE_UNKNOWN", "no such keyspace")),
		"says nothing":    fail(nil),
		"panics": func(context.Context, *router.Part, router.Member) (*cairn.ViewReply, error) {
			panic("a defect")
		},
		"is slow": func(ctx context.Context, _ *router.Part, _ router.Member) (*cairn.ViewReply, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"is behind":               garble(func(reply *cairn.ViewReply) { reply.Index, reply.Rows = 1, nil }),
		"has an older map":        garble(func(reply *cairn.ViewReply) { reply.Revision, reply.Rows = 1, nil }),
		"answers of other shards": garble(func(reply *cairn.ViewReply) { reply.Fingerprint, reply.Rows = 1, nil }),
		"answers of the future": garble(func(reply *cairn.ViewReply) {
			reply.Fingerprint, reply.Revision, reply.Index, reply.Rows = 1, 1<<60, 1<<60, nil
		}),
	} {
		t.Run(trouble, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 1, 2)
				f.owner.Store(1)
				token := pinnable["count"](f.crowd, t, cairn.Selection{View: theView}).token
				f.hop = hop
				before, garbles := f.questions(), strings.HasPrefix(trouble, "answers") || strings.HasSuffix(trouble, "behind") || strings.HasSuffix(trouble, "older map")
				for range 2 {
					began := time.Now()
					query := cairn.PageQuery{Limit: 20, Selection: cairn.Selection{
						View: theView, Where: "size >= 10", Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: token},
					}}
					page, err := f.routers[0].QueryView(t.Context(), query)
					if err != nil {
						t.Fatal(err)
					}
					if len(page.Rows) != 20 || string(page.Rows[0].Key) != "k010" {
						t.Errorf("a page of %d rows", len(page.Rows))
					}
					if took := time.Since(began); took > router.DefaultTimeout/2 {
						t.Errorf("that took %s", took)
					}
				}
				want := 2
				if garbles {
					want = 4 // the owner has asked too
				}
				if asked := f.questions() - before; asked != want {
					t.Errorf("the index was asked %d times; want %d", asked, want)
				}
				if got := f.sources[router.SourceFleet]; got > 1 { // of the first count
					t.Errorf("%d answers were taken", got-1)
				}
			})
		})
	}
}

// TestOwnersNeverWaitForEachOther has two routers take each other for the owner.
func TestOwnersNeverWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{sources: map[router.Source]int{}}
		f.crowd = newCrowd(t, 1, 2, func(i int, config *router.Config) {
			config.Fleet = func(string) router.Member { return hopTo{f, 1 - i} }
		})
		// Both ask the other before either is asked.
		var waiting atomic.Int64
		release := make(chan struct{})
		f.hop = func(ctx context.Context, part *router.Part, to router.Member) (*cairn.ViewReply, error) {
			waiting.Add(1)
			<-release
			return to.AnswerPart(ctx, part)
		}
		began := time.Now()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				if err := f.query(t.Context(), i%2); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(release)
		all.Wait()
		if took := time.Since(began); took != 0 || waiting.Load() != 2 || f.asked["c0"] != 2 {
			t.Errorf("%d asked the other, the index was asked %d times, in %s", waiting.Load(), f.asked["c0"], took)
		}
	})
}

// TestTheFleetIsAsFreshAsAsked writes, moves shards and asks through whatever router,
// while hops fail now and then: who names what was written sees it.
func TestTheFleetIsAsFreshAsAsked(t *testing.T) {
	f := newFleet(t, 2, 3)
	f.hop = func(ctx context.Context, part *router.Part, to router.Member) (*cairn.ViewReply, error) {
		if rand.IntN(10) == 0 {
			return nil, cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "nobody is there")
		}
		return to.AnswerPart(ctx, part)
	}
	things, _ := f.Map().Catalog().KeyspaceByName(bed.Things)
	clusters := f.Map().Catalog().Clusters()
	var written atomic.Int64
	written.Store(100)
	var mu sync.Mutex // guards writes, of which each is one more entry
	var token cairn.Token
	write := func() (count int64, seen cairn.Token) {
		mu.Lock()
		defer mu.Unlock()
		count = written.Load() + 1
		put := cairn.Write{Operation: cairn.Put, Key: fmt.Appendf(nil, "w%05d", count), Attributes: cairn.NamedValues{{Name: "size", Value: cairn.Int(count)}}}
		_, after, err := f.routers[rand.IntN(3)].Put(t.Context(), bed.Things, put, cairn.RequestID{})
		if err != nil {
			t.Error(err)
		}
		token = token.Merge(after)
		written.Store(count)
		return count, token
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				count, seen := write()
				selection := cairn.Selection{View: theView, Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: seen}, Pinned: i%3 == 0}
				got, err := f.routers[rand.IntN(3)].CountView(t.Context(), selection)
				if err != nil {
					t.Error(err)
					return
				}
				if latest := written.Load() + 8; int64(got.Count) < count || int64(got.Count) > latest {
					t.Errorf("%d entries; want %d to %d", got.Count, count, latest)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 20 {
			for shard := range f.Map().Shards(things.UID) {
				if shard.Cluster != clusters[i%2].UID {
					must(t, f.Move(things.UID, shard.ID, clusters[i%2].UID))
					break
				}
			}
			time.Sleep(time.Millisecond)
		}
	})
	all.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sources[router.SourceFleet] == 0 {
		t.Errorf("no router has asked another: %v", f.sources)
	}
}

// TestOwnersKeepPinnedAnswersForTheFleet asks a question of one state of every router.
func TestOwnersKeepPinnedAnswersForTheFleet(t *testing.T) {
	f := newFleet(t, 2, 3)
	selection := cairn.Selection{View: theView, Where: "size >= 3", Pinned: true}
	ask := func(i int) cairn.ViewCount {
		count, err := f.routers[i].CountView(t.Context(), selection)
		must(t, err)
		return count
	}
	first := ask(0)
	selection.Freshness = cairn.Freshness{Level: cairn.AtLeast, Token: first.Token}
	for i := range 20 {
		f.put(t, fmt.Sprintf("new%d", i), 1000)
	}
	before := f.questions()
	for range 2 {
		for i := range 3 {
			if again := ask(i); again.Count != first.Count || again.Token.String() != first.Token.String() {
				t.Errorf("router %d: %d entries; want %d", i, again.Count, first.Count)
			}
		}
	}
	if asked := f.questions() - before; asked != 0 {
		t.Errorf("the indexes were asked %d times", asked)
	}
	if len(f.sources) != 3 || f.sources[router.SourceJoined] != 0 {
		t.Errorf("heard %v", f.sources)
	}
}

// TestPartsThatAreNotForTheFleet asks a router for what none should.
func TestPartsThatAreNotForTheFleet(t *testing.T) {
	f := newFleet(t, 1, 2)
	cluster := f.Map().Catalog().Clusters()[0]
	things, _ := f.Map().Catalog().KeyspaceByName(bed.Things)
	good := func() *router.Part {
		owner, _ := f.Map().Owner(things.UID, cluster.UID)
		return &router.Part{
			Cluster: cluster.UID, ClusterRevision: cluster.Revision, Shards: owner.Fingerprint,
			ViewRequest: cairn.ViewRequest{
				Read: cairn.Read{Keyspace: things.UID, Epoch: owner.MaxEpoch, Level: cairn.Eventual}, View: 77, Version: 1, Asked: cairn.AskCount,
			},
		}
	}
	if reply, err := f.routers[0].AnswerPart(t.Context(), good()); err != nil || reply.Count != 100 {
		t.Fatalf("%+v: %v", reply, err)
	}
	before := f.questions()
	for reason, change := range map[string]func(part *router.Part){
		"LEVEL_NOT_SHARED":  func(part *router.Part) { part.Level = cairn.Linearizable },
		"QUESTION_TOO_LONG": func(part *router.Part) { part.Where = strings.Repeat("size > 1 || ", 400) },
		"CLUSTER_STALE":     func(part *router.Part) { part.ClusterRevision++ },
	} {
		part := good()
		change(part)
		if _, err := f.routers[0].AnswerPart(t.Context(), part); cairn.ReasonOf(err) != reason {
			t.Errorf("%s: %v", reason, err)
		}
	}
	unknown := good()
	unknown.Cluster = 9
	if _, err := f.routers[0].AnswerPart(t.Context(), unknown); cairn.ReasonOf(err) != "CLUSTER_STALE" {
		t.Error(err)
	}
	if asked := f.questions() - before; asked != 0 {
		t.Errorf("the index was asked %d times", asked)
	}

	// No router asks another for them either.
	f.owner.Store(1)
	f.hop = func(context.Context, *router.Part, router.Member) (*cairn.ViewReply, error) {
		t.Error("another router was asked")
		return nil, nil
	}
	for _, selection := range []cairn.Selection{
		{View: theView, Freshness: cairn.Freshness{Level: cairn.Linearizable}},
		{View: theView, Where: strings.Repeat("size >= 0 || ", 400) + "size >= 0"},
	} {
		count, err := f.routers[0].CountView(t.Context(), selection)
		if err != nil || count.Count != 100 {
			t.Errorf("%d entries: %v", count.Count, err)
		}
	}
}
