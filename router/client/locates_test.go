package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"cairn"
	"cairn/router/client"
	"cairn/router/internal/bed"
)

// locator is a client of a bed of two clusters, with keys of each.
type locator struct {
	*client.Client
	bed  *bed.Bed
	host *host
	keys map[string][]cairn.Key // by cluster
}

func newLocator(t *testing.T) *locator {
	t.Helper()
	b := newBed(t)
	l := &locator{bed: b, host: newHost(t, b), keys: map[string][]cairn.Key{}}
	l.Client = dial(t, l.host, 20*time.Second)
	for i := range 200 {
		key := cairn.Key(fmt.Sprint("k", i))
		if err := putOne(l.Client, string(key)); err != nil {
			t.Fatal(err)
		}
		location, _, err := l.Locate(t.Context(), bed.Things, key, cairn.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		l.keys[location.Cluster] = append(l.keys[location.Cluster], key)
	}
	return l
}

// calls counts the locates that reach indexes, and holds those back of one
// cluster until release.
func (l *locator) calls(held string) (counted *atomic.Int64, release func()) {
	counted, gate := new(atomic.Int64), make(chan struct{})
	l.bed.Faults = func(cluster string, call bed.Call) bed.Fault {
		if call == bed.CallLocate {
			counted.Add(1)
			if cluster == held {
				<-gate
			}
		}
		return bed.None
	}
	return counted, sync.OnceFunc(func() { close(gate) })
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain: ", what)
		}
	}
}

// TestLocatesTravelTogether counts what reaches the indexes of very many locates
// at once.
func TestLocatesTravelTogether(t *testing.T) {
	l := newLocator(t)
	counted, release := l.calls("")
	defer release()
	const callers, each = 64, 20
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range each {
				key := cairn.Key(fmt.Sprint("k", (caller*each+i)%200))
				if location, token, err := l.Locate(t.Context(), bed.Things, key, cairn.Reading{}); err != nil || location.State != cairn.Found || len(token.Clusters()) != 1 {
					t.Errorf("%s: %+v, %v, %v", key, location, token, err)
				}
			}
		})
	}
	all.Wait()
	if n := counted.Load(); n > callers*each/2 {
		t.Errorf("%d requests of indexes for %d locates", n, callers*each)
	}
}

// TestLocatesWaitOnlyForTheirOwnCluster has locates of one cluster wait while the
// same client goes on with another's.
func TestLocatesWaitOnlyForTheirOwnCluster(t *testing.T) {
	l := newLocator(t)
	counted, release := l.calls("c0")
	defer release()
	var held, free sync.WaitGroup
	for _, key := range l.keys["c0"] {
		held.Go(func() {
			if _, _, err := l.Locate(t.Context(), bed.Things, key, cairn.Reading{}); err != nil {
				t.Errorf("held: %v", err)
			}
		})
	}
	until(t, "a locate is held", func() bool { return counted.Load() > 0 })
	for _, key := range l.keys["c1"] {
		free.Go(func() {
			if location, _, err := l.Locate(t.Context(), bed.Things, key, cairn.Reading{}); err != nil || location.Cluster != "c1" {
				t.Errorf("free: %+v, %v", location, err)
			}
		})
	}
	free.Wait()
	release()
	held.Wait()
}

// TestOneCallersEndIsNobodyElses cancels some of those who travel together.
func TestOneCallersEndIsNobodyElses(t *testing.T) {
	l := newLocator(t)
	counted, release := l.calls("c0")
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	var leaving, staying sync.WaitGroup
	for i, key := range l.keys["c0"] {
		if i%2 == 0 {
			leaving.Go(func() {
				if _, _, err := l.Locate(ctx, bed.Things, key, cairn.Reading{}); !errors.Is(err, context.Canceled) || cairn.ReasonOf(err) != "CANCELLED" {
					t.Errorf("cancelled: %v", err)
				}
			})
			continue
		}
		staying.Go(func() {
			if location, _, err := l.Locate(t.Context(), bed.Things, key, cairn.Reading{}); err != nil || location.State != cairn.Found {
				t.Errorf("who stays: %+v, %v", location, err)
			}
		})
	}
	until(t, "a locate is held", func() bool { return counted.Load() > 0 })
	cancel()
	leaving.Wait()
	release()
	staying.Wait()
}

// TestLocatesKeepTheirOwnFreshness has each caller read what he has just written,
// by his token, among others who ask for anything.
func TestLocatesKeepTheirOwnFreshness(t *testing.T) {
	l := newLocator(t)
	var all sync.WaitGroup
	for caller := range 32 {
		all.Go(func() {
			for i := range 10 {
				key := cairn.Key(fmt.Sprintf("new-%d-%d", caller, i))
				_, token, err := l.Put(t.Context(), bed.Things, cairn.Write{Operation: cairn.Put, Key: key}, cairn.RequestID{})
				if err != nil {
					t.Error(err)
					return
				}
				reading := cairn.Reading{Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: token}, WithAttributes: caller%2 == 0}
				location, later, err := l.Locate(t.Context(), bed.Things, key, reading)
				if err != nil || location.State != cairn.Found || location.Version.IsZero() == reading.WithAttributes || later.Merge(token).String() != later.String() {
					t.Errorf("%s: %+v, %v", key, location, err)
				}
				if _, _, err := l.Locate(t.Context(), bed.Things, cairn.Key("k1"), cairn.Reading{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// TestLocatesKeepTheirOwnErrors has all kinds travel at the same time.
func TestLocatesKeepTheirOwnErrors(t *testing.T) {
	l := newLocator(t)
	var all sync.WaitGroup
	for i := range 40 {
		for _, ask := range []struct {
			keyspace, key, reason, field string
		}{
			{bed.Things, fmt.Sprint("k", i), "", ""},
			{"nowhere", fmt.Sprint("k", i), "KEYSPACE_NOT_FOUND", "keyspace"},
			{"a/b", fmt.Sprint("k", i), "RESOURCE_NAME", "keyspace"},
			{bed.Things, "", "KEY_EMPTY", "key"},
			{bed.Things, string(make([]byte, cairn.MaxKeyLength+1)), "KEY_TOO_LONG", "key"},
		} {
			all.Go(func() {
				_, _, err := l.Locate(t.Context(), ask.keyspace, cairn.Key(ask.key), cairn.Reading{})
				if cairn.ReasonOf(err) != ask.reason {
					t.Errorf("%q of %q: %v", ask.key, ask.keyspace, err)
				}
				var e *cairn.Error
				if errors.As(err, &e) && e.Field != ask.field {
					t.Errorf("%q of %q is about %q", ask.key, ask.keyspace, e.Field)
				}
			})
		}
	}
	all.Wait()
}

// TestWhatIsTooMuchTogetherGoesAlone has locates travel together to a server that
// takes no message with two of their keys.
func TestWhatIsTooMuchTogetherGoesAlone(t *testing.T) {
	h := newLimitedHost(t, newBed(t), cairn.MaxKeyLength+200)
	c := dial(t, h, 20*time.Second)
	var alone atomic.Int64
	h.called.Store(func(method string) {
		if method == "Locator/Locate" {
			alone.Add(1)
		}
	})
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			key := fmt.Appendf(make([]byte, cairn.MaxKeyLength-10), "%10d", i)
			if location, _, err := c.Locate(t.Context(), bed.Things, key, cairn.Reading{}); err != nil || location.State != cairn.Absent {
				t.Errorf("%+v, %v", location, err)
			}
		})
	}
	all.Wait()
	if alone.Load() == 0 {
		t.Error("none met another")
	}
}

// TestLocatesSurviveAServersEnd has the server go and come back under callers.
func TestLocatesSurviveAServersEnd(t *testing.T) {
	l := newLocator(t)
	var done atomic.Bool
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for !done.Load() {
				if location, _, err := l.Locate(t.Context(), bed.Things, cairn.Key(fmt.Sprint("k", i)), cairn.Reading{}); err != nil || location.State != cairn.Found {
					t.Errorf("%+v, %v", location, err)
				}
			}
		})
	}
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		l.host.stop()
		l.host.start()
	}
	done.Store(true)
	all.Wait()
}

// TestLocatesWithMetadataGoAlone has what a context adds to a call reach the
// server.
func TestLocatesWithMetadataGoAlone(t *testing.T) {
	l := newLocator(t)
	var alone atomic.Int64
	l.host.called.Store(func(method string) {
		if method == "Locator/Locate" {
			alone.Add(1)
		}
	})
	with := metadata.AppendToOutgoingContext(t.Context(), "who", "me")
	for _, ctx := range []context.Context{t.Context(), with, t.Context()} {
		if _, _, err := l.Locate(ctx, bed.Things, cairn.Key("k1"), cairn.Reading{}); err != nil {
			t.Error(err)
		}
	}
	if alone.Load() != 1 {
		t.Errorf("%d of three went alone", alone.Load())
	}
}

// TestLocatesOfAClosedClient fails what comes late, and what is under way.
func TestLocatesOfAClosedClient(t *testing.T) {
	l := newLocator(t)
	counted, release := l.calls("c0")
	defer release()
	c, err := client.Dial(l.host.address, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, _, err := c.Locate(context.Background(), bed.Things, l.keys["c0"][0], cairn.Reading{})
		failed <- err
	}()
	until(t, "a locate is held", func() bool { return counted.Load() > 0 })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("under way: %v", err)
	}
	if _, _, err := c.Locate(t.Context(), bed.Things, cairn.Key("k1"), cairn.Reading{}); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("after it: %v", err)
	}
}

// TestBatchesTravelTogether has batches of both clusters' keys go with others: each is
// answered in its own order, with a token of both, by fewer requests than there are
// batches.
func TestBatchesTravelTogether(t *testing.T) {
	l := newLocator(t)
	counted, release := l.calls("")
	defer release()
	const callers, each = 64, 20
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range each {
				keys := []cairn.Key{
					l.keys["c0"][(caller+i)%len(l.keys["c0"])], cairn.Key("nothing"), l.keys["c1"][(caller*i)%len(l.keys["c1"])], l.keys["c0"][caller%len(l.keys["c0"])],
				}
				locations, token, err := l.BatchLocate(t.Context(), bed.Things, keys, cairn.Reading{})
				if err != nil || len(locations) != len(keys) || len(token.Clusters()) != 2 {
					t.Errorf("%+v, %v, %v", locations, token, err)
					return
				}
				for i, want := range []string{"c0", "", "c1", "c0"} {
					if locations[i].Cluster != want || locations[i].Err != nil {
						t.Errorf("%s: %+v; want cluster %q", keys[i], locations[i], want)
					}
				}
			}
		})
	}
	all.Wait()
	if n := counted.Load(); n > callers*each {
		t.Errorf("%d requests of indexes for %d batches of two clusters", n, callers*each)
	}
}

// TestABatchIsWholeOrItsKeysSayWhy: one cluster does not answer in the time of a
// batch, whose other keys are answered; others' batches do not wait for it.
func TestABatchIsWholeOrItsKeysSayWhy(t *testing.T) {
	l := newLocator(t)
	l.bed.Faults = func(cluster string, call bed.Call) bed.Fault {
		if cluster == "c0" && call == bed.CallLocate {
			return bed.NotYet
		}
		return bed.None
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() {
		// The keys that have no answer are asked for again by themselves, in vain.
		locations, token, err := l.BatchLocate(ctx, bed.Things, []cairn.Key{l.keys["c0"][0], l.keys["c1"][0]}, cairn.Reading{})
		if err != nil || cairn.KindOf(locations[0].Err) != cairn.KindNotYet || locations[1].Err != nil || locations[1].Cluster != "c1" || len(token.Clusters()) != 1 {
			t.Errorf("%+v, %v, %v", locations, token, err)
		}
	})
	for i := range 20 {
		all.Go(func() {
			locations, _, err := l.BatchLocate(t.Context(), bed.Things, []cairn.Key{l.keys["c1"][i], l.keys["c1"][0]}, cairn.Reading{})
			if err != nil || locations[0].Err != nil || locations[1].Err != nil {
				t.Errorf("%+v, %v", locations, err)
			}
		})
	}
	all.Wait()
}
