package admin_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap/catalog"
)

// flips are what Flippers have told.
type flips struct {
	mu      sync.Mutex
	flipped []uint64 // versions
	refused []string
}

func (f *flips) told() (versions int, refusals []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.flipped), append([]string{}, f.refused...)
}

// flipper runs a Flipper until the test ends.
func (x *indexes) flipper(t *testing.T, asked *atomic.Int64) *flips {
	out := &flips{}
	f := admin.NewFlipper(admin.FlipperConfig{
		Store: x.store, FirstPause: time.Millisecond, LongestPause: 10 * time.Millisecond,
		Status: func(ctx context.Context, cluster *catalog.Cluster, epoch uint64) (cairn.IndexStatus, error) {
			asked.Add(1)
			return x.status(ctx, cluster, epoch)
		},
		Events: admin.FlipEvents{
			Flipped: func(_ string, version, _ uint64) {
				out.mu.Lock()
				defer out.mu.Unlock()
				out.flipped = append(out.flipped, version)
			},
			Refused: func(view string, _ uint64, cluster, reason string) {
				out.mu.Lock()
				defer out.mu.Unlock()
				out.refused = append(out.refused, view+" "+cluster+": "+reason)
			},
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return out
}

// set changes what the indexes say.
func (x *indexes) set(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
}

func complete(v cairn.View) cairn.ViewState {
	return cairn.ViewState{View: v.UID, Version: v.Version, Complete: true}
}

func unfinished(v cairn.View) cairn.ViewState {
	return cairn.ViewState{View: v.UID, Version: v.Version, Complete: v.Version == 1, Total: 9}
}

// serving is the version of a view that serves.
func (x *indexes) serving(name string) uint64 {
	v, found := x.store.Map().Catalog().ViewByName(name)
	if !found || v.Serving == nil {
		return 0
	}
	return v.Serving.Number
}

// eventually waits for something, and stays tells that something stays true
// while the Flippers look again and again.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 1_000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never: " + what)
}

func stays(t *testing.T, what string, asked *atomic.Int64, holds func() bool) {
	t.Helper()
	from := asked.Load()
	eventually(t, "several looks", func() bool { return asked.Load() > from+20 })
	if !holds() {
		t.Error("not so any more: " + what)
	}
}

func TestFlipper(t *testing.T) {
	a, x := start(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), hashed("runways", 4))
	var asked atomic.Int64
	one, two := x.flipper(t, &asked), x.flipper(t, &asked)
	x.set(func() { x.views = map[string]func(cairn.View) cairn.ViewState{"north": complete} })
	apply(t, a, view("paved", `surface == "asphalt"`))
	notYet := func() bool { return x.serving("paved") == 0 }
	stays(t, "south does not know it", &asked, notYet)
	x.set(func() {
		x.views["south"], x.wrong = complete, map[string]bool{"south": true}
	})
	stays(t, "south's answer is another's", &asked, notYet)
	x.set(func() {
		x.wrong = nil
		x.views["south"] = func(v cairn.View) cairn.ViewState {
			return cairn.ViewState{View: v.UID, Version: v.Version, Refusal: "too much memory"}
		}
	})
	stays(t, "south can't build it", &asked, notYet)
	x.set(func() { x.err = cairn.Errorf(cairn.KindUnavailable, "", "down") })
	stays(t, "nobody answers", &asked, notYet)
	x.set(func() { x.err, x.views["south"] = nil, complete })
	eventually(t, "version 1 serves", func() bool { return x.serving("paved") == 1 })

	x.set(func() { x.views["north"], x.views["south"] = unfinished, unfinished })
	apply(t, a, view("paved", `surface == "grass"`))
	stays(t, "version 1 serves", &asked, func() bool { return x.serving("paved") == 1 })
	apply(t, a, view("paved", `surface == "gravel"`))
	x.set(func() { x.views["north"], x.views["south"] = complete, complete })
	eventually(t, "version 3 serves", func() bool { return x.serving("paved") == 3 })

	// Nothing is being built: nobody is asked.
	eventually(t, "quiet", func() bool {
		before := asked.Load()
		time.Sleep(50 * time.Millisecond)
		return asked.Load() == before
	})
	// A flip is told of after the map shows it.
	versions := func() int {
		first, _ := one.told()
		second, _ := two.told()
		return first + second
	}
	eventually(t, "both flips told", func() bool { return versions() >= 2 })
	if versions() != 2 {
		t.Errorf("%d flips told", versions())
	}
	for _, f := range []*flips{one, two} {
		if _, refused := f.told(); len(refused) != 1 || refused[0] != "paved south: too much memory" {
			t.Errorf("refusals told: %q", refused)
		}
	}
	before := asked.Load()
	if _, _, err := a.SplitShard(bounded(t), "runways", 1, admin.SplitAt{}); err != nil {
		t.Fatal(err)
	}
	quiet := asked.Load() // the split itself asks no Flipper's Status
	time.Sleep(50 * time.Millisecond)
	if quiet != before || asked.Load() != before {
		t.Errorf("asked %d times with nothing to build", asked.Load()-before)
	}
}
