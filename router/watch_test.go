package router_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

func open(t testing.TB, clusters, shards int) (*bed.Bed, *router.Router) {
	t.Helper()
	b, err := bed.New(clusters, shards)
	if err != nil {
		t.Fatal(err)
	}
	r, err := router.New(router.Config{Topology: b.Topology(), Dial: b.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return b, r
}

func put(t testing.TB, r *router.Router, keyspace string, key cairn.Key, size int64) cairn.Token {
	t.Helper()
	_, token, err := r.Put(t.Context(), keyspace, cairn.Write{
		Operation: cairn.Put, Key: key, Attributes: cairn.NamedValues{{Name: "size", Value: cairn.Int(size)}},
	}, cairn.RequestID{})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

var errEnough = errors.New("enough")

// watcher is a client that resumes from its token whenever it is broken off,
// and checks that no change is left out or out of order.
type watcher struct {
	t     *testing.T
	token cairn.Token
	last  map[string]int64
	// begun is told when the first delivery has come.
	begun chan struct{}
	// breaks says how often to break off.
	breaks func() bool
}

func (w *watcher) watch(ctx context.Context, r *router.Router, until func(map[string]int64) bool) error {
	for {
		err := r.Watch(ctx, bed.Things, w.token, func(c cairn.Changes) error {
			for _, change := range c.Changes {
				w.see(change)
			}
			if w.begun != nil {
				close(w.begun)
				w.begun = nil
			}
			if until(w.last) {
				return errEnough
			}
			if w.breaks() {
				return errors.New("broken off before the token was kept")
			}
			w.token = c.Token
			return nil
		})
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return err
		}
		if typed, ok := errors.AsType[*cairn.Error](err); ok {
			return typed
		}
	}
}

// see takes a change: each key counts up, so that a number that is skipped has
// been left out.
func (w *watcher) see(change cairn.NamedChange) {
	if change.After == nil {
		w.t.Errorf("%s: an entry was removed that nobody removed", change.Key)
		return
	}
	value, _ := change.After.Attributes.Get("size")
	key := string(change.Key)
	if n := value.Int(); n > w.last[key]+1 {
		w.t.Errorf("%s: saw %d after %d", key, n, w.last[key])
	} else {
		w.last[key] = max(w.last[key], n)
	}
}

// TestWatchSeesEverything writes while shards move and watches break.
func TestWatchSeesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := open(t, 3, 6)
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		chance := func(n int) bool {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(n) == 0
		}
		b.Faults = func(_ string, call bed.Call) bed.Fault {
			if call == bed.CallWatch && chance(10) {
				return bed.Unreachable
			}
			return bed.None
		}
		const keys, rounds = 20, 30
		begun := make(chan struct{})
		w := &watcher{t: t, last: map[string]int64{}, begun: begun, breaks: func() bool { return chance(8) }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			done <- w.watch(ctx, r, func(last map[string]int64) bool {
				full := 0
				for _, n := range last {
					if n == rounds {
						full++
					}
				}
				return full == keys
			})
		}()
		<-begun
		for round := range rounds {
			for k := range keys {
				put(t, r, bed.Things, fmt.Appendf(nil, "key-%d", k), int64(round+1))
			}
			moveOne(t, b, bed.Things, round)
			time.Sleep(50 * time.Millisecond)
		}
		if err := <-done; err != nil {
			t.Error(err, w.last)
		}
	})
}

// moveOne gives a shard to the next cluster.
func moveOne(t *testing.T, b *bed.Bed, keyspace string, turn int) {
	t.Helper()
	m := b.Map()
	declared, _ := m.Catalog().KeyspaceByName(keyspace)
	shards := slices.Collect(m.Shards(declared.UID))
	shard := shards[turn%len(shards)]
	clusters := m.Catalog().Clusters()
	at := slices.IndexFunc(clusters, func(c *catalog.Cluster) bool { return c.UID == shard.Cluster })
	if err := b.Move(declared.UID, shard.ID, clusters[(at+1)%len(clusters)].UID); err != nil {
		t.Fatal(err)
	}
}

func TestWatchFromCompactedToken(t *testing.T) {
	b, r := open(t, 2, 4)
	var begin cairn.Token
	if err := r.Watch(t.Context(), bed.Things, cairn.Token{}, func(c cairn.Changes) error {
		begin = c.Token
		return errEnough
	}); !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	for i := range 20 {
		put(t, r, bed.Things, fmt.Appendf(nil, "k%d", i), 1)
	}
	for _, cluster := range b.Map().Catalog().Clusters() {
		b.Index(cluster.UID).Compact()
	}
	err := r.Watch(t.Context(), bed.Things, begin, func(cairn.Changes) error { return nil })
	if cairn.KindOf(err) != cairn.KindCompacted || cairn.ReasonOf(err) != "STAMP_COMPACTED" {
		t.Error(err)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	_, r := open(t, 2, 4)
	ctx, cancel := context.WithCancel(t.Context())
	err := r.Watch(ctx, bed.Things, cairn.Token{}, func(cairn.Changes) error {
		cancel()
		return nil
	})
	if cairn.KindOf(err) != cairn.KindDeadline {
		t.Error(err)
	}
	if err := r.Watch(t.Context(), "nothing", cairn.Token{}, nil); cairn.KindOf(err) != cairn.KindNotFound {
		t.Error(err)
	}
}
