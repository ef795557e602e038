package router_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
)

// ownedBy is a key that a cluster owns.
func ownedBy(t *testing.T, r *router.Router, cluster string) cairn.Key {
	t.Helper()
	for i := range 1000 {
		key := cairn.Key(fmt.Sprintf("k%d", i))
		why, err := r.Explain(t.Context(), bed.Things, key, cairn.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		if why.Cluster == cluster {
			return key
		}
	}
	t.Fatalf("cluster %s owns nothing", cluster)
	return nil
}

// TestAClusterOutOfReachFailsAtOnce, and alone: after a grace in which requests go on
// trying none is put to its index, and from the moment on in which that listens again
// all are.
func TestAClusterOutOfReachFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := open(t, 2, 8)
		lost, well := ownedBy(t, r, "c0"), ownedBy(t, r, "c1")
		var down, broken atomic.Bool
		var asked atomic.Int64
		b.Faults = func(cluster string, call bed.Call) bed.Fault {
			switch {
			case cluster != "c0" || !down.Load() && !broken.Load():
				return bed.None
			case call != bed.CallListening:
				asked.Add(1)
			case broken.Load():
				return bed.None // somebody listens who can't be asked
			}
			return bed.Refused
		}
		locate := func(key cairn.Key) (time.Duration, error) {
			began := time.Now()
			_, _, err := r.Locate(t.Context(), bed.Things, key, cairn.Reading{})
			return time.Since(began), err
		}
		unreachable := func(what string, err error) {
			t.Helper()
			if cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != cairn.ReasonClusterUnreachable {
				t.Errorf("%s: %v", what, err)
			}
		}
		down.Store(true)
		// One that began while there was hope ends once there is none, not at its deadline.
		took, err := locate(lost)
		if unreachable("the first", err); took < 4*time.Second || took > 4500*time.Millisecond {
			t.Errorf("the first took %v", took)
		}
		asked.Store(0)
		for range 100 {
			time.Sleep(10 * time.Millisecond)
			took, err := locate(lost)
			if unreachable("a later one", err); took > 0 {
				t.Errorf("a later one took %v", took)
			}
		}
		locations, _, err := r.BatchLocate(t.Context(), bed.Things, []cairn.Key{lost, well}, cairn.Reading{})
		if unreachable("a key of a batch", locations[0].Err); err != nil || locations[1].Err != nil {
			t.Errorf("a batch of both clusters' keys: %+v, %v", locations, err)
		}
		if n := asked.Load(); n != 0 {
			t.Errorf("the index was asked %d times", n)
		}
		// Other kinds of requests find out by themselves.
		_, _, err = r.Put(t.Context(), bed.Things, cairn.Write{Operation: cairn.Put, Key: lost}, cairn.RequestID{})
		unreachable("a put", err)
		_, err = r.List(t.Context(), bed.Things, cairn.Range{}, cairn.Freshness{})
		unreachable("a list", err)

		down.Store(false)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if took, err := locate(lost); err != nil || took > 0 {
					t.Errorf("once it is back: after %v, %v", took, err)
				}
			})
		}
		all.Wait()
		if _, _, err := r.Put(t.Context(), bed.Things, cairn.Write{Operation: cairn.Put, Key: lost}, cairn.RequestID{}); err != nil {
			t.Errorf("a put once it is back: %v", err)
		}
		// Where somebody listens there is hope up to the deadline.
		broken.Store(true)
		if took, err := locate(lost); cairn.ReasonOf(err) != "UNREACHABLE" || took < 4500*time.Millisecond {
			t.Errorf("who listens and can't be asked: after %v, %v", took, err)
		}
	})
}
