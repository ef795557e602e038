package router_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

// shelter is a bed behind a router with a cache, and what is asked of its indexes.
type shelter struct {
	*testing.T
	bed      *bed.Bed
	topology *bed.Topology
	router   *router.Router
	// writer is another router.
	writer *router.Router
	asked  atomic.Int64 // locates that an index got
	silent atomic.Bool  // no index's changes can be followed
	down   atomic.Uint32
}

func newShelter(t *testing.T, clusters int) *shelter {
	b, err := bed.New(clusters, 2*clusters)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelter{T: t, bed: b, topology: b.Topology()}
	b.Faults = func(_ string, call bed.Call) bed.Fault {
		switch {
		case call == bed.CallLocate:
			s.asked.Add(1)
		case call == bed.CallWatch && s.silent.Load():
			return bed.Unreachable
		}
		return bed.None
	}
	s.router = s.newRouter(router.Config{
		Topology: s.topology, Cache: router.CacheConfig{Bytes: 1 << 20, CheckEvery: math.MaxUint32},
		Down: func(_ cairn.UID, node cairn.NodeID) bool { return uint32(node) == s.down.Load() },
	})
	s.writer = s.newRouter(router.Config{Topology: b.Topology()})
	return s
}

func (s *shelter) newRouter(config router.Config) *router.Router {
	return s.newRouterOver(config, s.bed.Dial)
}

func (s *shelter) newRouterOver(config router.Config, dial func(*catalog.Cluster) (router.Index, error)) *router.Router {
	config.Dial = dial
	r, err := router.New(config)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(r.Close)
	return r
}

// put writes through the other router, and returns the token.
func (s *shelter) put(key string, size int64) cairn.Token {
	s.Helper()
	write := cairn.Write{Operation: cairn.Put, Key: cairn.Key(key), Attributes: cairn.NamedValues{{Name: "size", Value: cairn.Int(size)}}}
	_, token, err := s.writer.Put(context.Background(), bed.Things, write, cairn.RequestID{})
	if err != nil {
		s.Fatal(err)
	}
	return token
}

func atLeast(token cairn.Token) cairn.Freshness {
	return cairn.Freshness{Level: cairn.AtLeast, Token: token}
}

// locate reads a key's size, -1 for no entry, and how many questions that took of indexes.
func (s *shelter) locate(key string, freshness cairn.Freshness) (size, asked int64) {
	s.Helper()
	before := s.asked.Load()
	location, token, err := s.router.Locate(context.Background(), bed.Things, cairn.Key(key), cairn.Reading{Freshness: freshness, WithAttributes: true})
	if err != nil {
		s.Fatal(err)
	}
	if freshness.Level == cairn.AtLeast {
		for _, seen := range freshness.Token.Clusters() {
			if token.Index(seen.Cluster) < seen.Index {
				s.Errorf("the token of the answer does not cover that of the request")
			}
		}
	}
	asked = s.asked.Load() - before
	if location.State != cairn.Found {
		return -1, asked
	}
	value, _ := location.Attributes.Get("size")
	return value.Int(), asked
}

func (s *shelter) want(key string, freshness cairn.Freshness, size, asked int64) {
	s.Helper()
	if gotSize, gotAsked := s.locate(key, freshness); gotSize != size || gotAsked != asked {
		s.Errorf("%s, %s: size %d with %d questions, want %d with %d", key, freshness.Level, gotSize, gotAsked, size, asked)
	}
}

// warm has the key's index followed, and the key cached.
func (s *shelter) warm(key string) {
	s.Helper()
	s.locate(key, cairn.Freshness{}) // begins to follow
	synctest.Wait()
	s.locate(key, cairn.Freshness{})
}

func TestCachedLocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelter(t, 1)
		first := s.put("a", 1)
		s.want("a", cairn.Freshness{}, 1, 1)
		synctest.Wait()
		s.want("a", cairn.Freshness{}, 1, 1)
		s.want("a", cairn.Freshness{}, 1, 0)
		s.want("a", atLeast(first), 1, 0)
		s.want("a", cairn.Freshness{Level: cairn.Linearizable}, 1, 1)

		// Read your write by its token, through another router, whether that has heard
		// of it or not.
		second := s.put("a", 2)
		if size, _ := s.locate("a", atLeast(second)); size != 2 {
			t.Errorf("size %d with the token of size 2", size)
		}
		synctest.Wait()
		s.locate("a", cairn.Freshness{})
		s.want("a", atLeast(second), 2, 0)

		// A key that has no entry, until it has one.
		s.want("b", cairn.Freshness{}, -1, 1)
		s.want("b", cairn.Freshness{}, -1, 0)
		s.put("b", 3)
		synctest.Wait()
		s.want("b", cairn.Freshness{}, 3, 1)
		s.want("b", cairn.Freshness{}, 3, 0)

		// What others wrote of other keys keeps what is cached.
		third := s.put("c", 4)
		synctest.Wait()
		s.want("a", atLeast(third), 2, 0)
	})
}

// TestCachedWithoutStream has answers go on within the bound, and with tokens that they
// are known to cover; then indexes are asked.
func TestCachedWithoutStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelter(t, 1)
		first := s.put("a", 1)
		s.warm("a")
		s.silent.Store(true)
		second := s.put("a", 2) // the stream breaks as it is to go on
		synctest.Wait()
		s.put("b", 1)
		s.locate("a", cairn.Freshness{})
		third := s.put("a", 3)
		time.Sleep(router.DefaultCacheStaleness)
		s.want("a", atLeast(second), 2, 0)
		s.want("a", atLeast(first), 2, 0)
		s.want("a", atLeast(third), 3, 1)
		time.Sleep(time.Millisecond)
		s.want("a", cairn.Freshness{}, 3, 1)
		s.want("a", cairn.Freshness{}, 3, 1)

		s.silent.Store(false)
		time.Sleep(5 * time.Second)
		s.put("b", 2)
		synctest.Wait()
		s.locate("a", cairn.Freshness{})
		s.want("a", cairn.Freshness{}, 3, 0)
	})
}

// TestCachedAfterGap has an index forget changes that the cache has not heard of.
func TestCachedAfterGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelter(t, 1)
		s.put("a", 1)
		s.warm("a")
		s.silent.Store(true)
		s.put("b", 1)
		synctest.Wait()
		s.put("a", 2)
		s.bed.Index(0x100).Compact()
		s.silent.Store(false)
		time.Sleep(5 * time.Second)
		s.put("b", 2)
		synctest.Wait()
		s.want("a", cairn.Freshness{}, 2, 1)
		s.want("a", cairn.Freshness{}, 2, 0)
	})
}

// TestCachedToken hands out a token that covers the answer and the request.
func TestCachedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelter(t, 1)
		written := s.put("a", 1)
		s.warm("a")
		other := cairn.Token{}.With(0x999, cairn.Stamp{Epoch: 1, Index: 5})
		_, token, err := s.router.Locate(t.Context(), bed.Things, cairn.Key("a"), cairn.Reading{Freshness: atLeast(other)})
		if err != nil || token.Index(0x999) != 5 || token.Index(0x100) < written.Index(0x100) || token.Epoch < written.Epoch {
			t.Errorf("the token is %+v; %v", token, err)
		}
	})
}

// TestCachedAcrossMoves has shards move under cached answers, with streams that tell of
// it and without.
func TestCachedAcrossMoves(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silent=%t", silent), func(t *testing.T) { testCachedAcrossMoves(t, silent) })
	}
}

func testCachedAcrossMoves(t *testing.T, silent bool) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelter(t, 2)
		s.put("a", 1)
		s.warm("a")
		s.want("a", cairn.Freshness{}, 1, 0)
		s.silent.Store(silent)
		for i := range 10 {
			s.put(fmt.Sprint(i), 0) // the streams break as they are to go on
		}
		synctest.Wait()
		s.want("a", cairn.Freshness{}, 1, 0)

		m := s.bed.Map()
		things, _ := m.Catalog().KeyspaceByName(bed.Things)
		for _, shard := range slices.Collect(m.Shards(things.UID)) {
			to := cairn.UID(0x100)
			if shard.Cluster == to {
				to++
			}
			if err := s.bed.Move(things.UID, shard.ID, to); err != nil {
				t.Fatal(err)
			}
		}
		moved := s.put("a", 2)
		s.want("a", atLeast(moved), 2, 1)
		s.silent.Store(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		s.want("a", atLeast(moved), 2, 1)
		s.want("a", atLeast(moved), 2, 0)
	})
}

// TestCachedNames has nodes that do not answer left out, and attributes where they are
// asked for alone.
func TestCachedNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelter(t, 1)
		s.put("a", 1)
		s.warm("a")
		read := func(withAttributes bool) cairn.Location {
			before := s.asked.Load()
			location, _, err := s.router.Locate(t.Context(), bed.Things, cairn.Key("a"), cairn.Reading{WithAttributes: withAttributes})
			if err != nil || s.asked.Load() != before {
				t.Fatalf("not from the cache: %v", err)
			}
			return location
		}
		if got := read(true); got.Primary.Name != "c0-a" || len(got.Replicas) != 1 || got.Version.IsZero() || len(got.Attributes) != 1 || got.Cluster != "c0" || got.Epoch == 0 {
			t.Errorf("the location is %+v", got)
		}
		if got := read(false); got.Primary.Name != "c0-a" || !got.Version.IsZero() || got.Attributes != nil {
			t.Errorf("without attributes the location is %+v", got)
		}
		s.down.Store(1)
		if got := read(true); got.Primary.Name != "c0-b" || len(got.Replicas) != 0 {
			t.Errorf("with its primary down the location is %+v", got)
		}
		s.down.Store(0)
		if got := read(true); got.Primary.Name != "c0-a" || len(got.Replicas) != 1 {
			t.Errorf("with its primary up again the location is %+v", got)
		}
	})
}

// ancient is an index whose entries have an attribute that is declared no more.
type ancient struct{ router.Index }

func (x ancient) Locate(ctx context.Context, request *cairn.LocateRequest, reply *cairn.LocateReply) error {
	err := x.Index.Locate(ctx, request, reply)
	for i := range reply.Results {
		if of := &reply.Results[i]; of.State == cairn.Found && request.WithAttributes {
			of.Attributes = slices.Clone(of.Attributes).Append(cairn.Attribute{ID: 99, Value: cairn.Int(1)})
		}
	}
	return err
}

// TestCachedUnknownNames serves entries with attributes that have been removed.
func TestCachedUnknownNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelter(t, 1)
		s.router = s.newRouterOver(router.Config{Topology: s.topology, Cache: router.CacheConfig{Bytes: 1 << 20, CheckEvery: math.MaxUint32}},
			func(cluster *catalog.Cluster) (router.Index, error) {
				index, err := s.bed.Dial(cluster)
				return ancient{index}, err
			})
		s.put("a", 1)
		s.warm("a")
		s.want("a", cairn.Freshness{}, 1, 0)
	})
}

// TestCachedBatch asks indexes for those keys only that are not cached.
func TestCachedBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelter(t, 2)
		var keys []cairn.Key
		for i := range 40 {
			keys = append(keys, fmt.Appendf(nil, "key-%d", i))
			s.put(string(keys[i]), int64(i))
		}
		read := cairn.Reading{WithAttributes: true}
		check := func(locations []cairn.Location) {
			t.Helper()
			for i, location := range locations {
				if value, _ := location.Attributes.Get("size"); value.Int() != int64(i) {
					t.Fatalf("key %d has size %d", i, value.Int())
				}
			}
		}
		batch := func(asked int64) cairn.Token {
			t.Helper()
			before := s.asked.Load()
			locations, token, err := s.router.BatchLocate(t.Context(), bed.Things, keys, read)
			if err != nil || len(token.Clusters()) != 2 || s.asked.Load()-before != asked {
				t.Fatalf("%d questions, want %d; %v", s.asked.Load()-before, asked, err)
			}
			check(locations)
			return token
		}
		batch(2)
		synctest.Wait()
		batch(2)
		batch(0)
		s.put("key-7", 7)
		synctest.Wait()
		batch(1)
		read.Freshness = atLeast(batch(0))
		batch(0)

		parts := make([]int, len(keys))
		err := s.router.BatchLocateInParts(t.Context(), bed.Things, keys, read, func(locations []cairn.Location, positions []int32, token cairn.Token) {
			for _, position := range positions {
				parts[position]++
			}
			if len(token.Clusters()) != 2 {
				t.Errorf("a token of %d clusters", len(token.Clusters()))
			}
			check(locations)
		})
		if err != nil || slices.Contains(parts, 0) || slices.Max(parts) > 1 {
			t.Errorf("keys were told %d times; %v", parts, err)
		}
	})
}

// TestCachedAllocatesNothing is of a router in its caller's process.
func TestCachedAllocatesNothing(t *testing.T) {
	s := newShelter(t, 1)
	key := cairn.Key("a")
	token := s.put("a", 1)
	ctx := context.Background()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		before := s.asked.Load()
		if _, _, err := s.router.Locate(ctx, bed.Things, key, cairn.Reading{}); err != nil {
			t.Fatal(err)
		}
		if s.asked.Load() == before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the cache never answered")
		}
	}
	for _, read := range []cairn.Reading{{}, {Freshness: atLeast(token)}} {
		if n := testing.AllocsPerRun(1000, func() {
			if _, _, err := s.router.Locate(ctx, bed.Things, key, read); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", read.Freshness.Level, n)
		}
	}
	if stats, has := s.router.CacheStats(); !has || len(stats.Sources) != 1 || stats.Sources[0].Hits < 2000 || stats.Entries != 1 {
		t.Errorf("the stats are %+v", stats)
	}
}
