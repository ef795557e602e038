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
// trying, only few of them still do, and one that finds the index again ends it.
func TestAClusterOutOfReachFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := open(t, 2, 8)
		lost, well := ownedBy(t, r, "c0"), ownedBy(t, r, "c1")
		var down atomic.Bool
		var asked atomic.Int64
		b.Faults = func(cluster string, _ bed.Call) bed.Fault {
			if cluster != "c0" || !down.Load() {
				return bed.None
			}
			asked.Add(1)
			return bed.Refused
		}
		locate := func(key cairn.Key) (time.Duration, error) {
			began := time.Now()
			_, _, err := r.Locate(t.Context(), bed.Things, key, cairn.Reading{})
			return time.Since(began), err
		}
		down.Store(true)
		// One that began while there was hope ends once there is none, not at its deadline.
		if took, err := locate(lost); took < 4*time.Second || took > 5*time.Second || cairn.ReasonOf(err) != cairn.ReasonClusterUnreachable {
			t.Errorf("the first: after %v, %v", took, err)
		}
		asked.Store(0)
		for range 100 {
			time.Sleep(10 * time.Millisecond)
			took, err := locate(lost)
			if took > 500*time.Millisecond || cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != cairn.ReasonClusterUnreachable {
				t.Fatalf("after %v, %v", took, err)
			}
		}
		if n := asked.Load(); n == 0 || n > 300 {
			t.Errorf("the index was asked %d times in about a second", n)
		}
		locations, _, err := r.BatchLocate(t.Context(), bed.Things, []cairn.Key{lost, well}, cairn.Reading{})
		if err != nil || cairn.ReasonOf(locations[0].Err) != cairn.ReasonClusterUnreachable || locations[1].Err != nil {
			t.Errorf("a batch of both clusters' keys: %+v, %v", locations, err)
		}
		if _, _, err := r.Put(t.Context(), bed.Things, cairn.Write{Operation: cairn.Put, Key: lost}, cairn.RequestID{}); cairn.KindOf(err) != cairn.KindUnavailable {
			t.Errorf("a put: %v", err)
		}
		if _, err := r.List(t.Context(), bed.Things, cairn.Range{}, cairn.Freshness{}); cairn.ReasonOf(err) != cairn.ReasonClusterUnreachable {
			t.Errorf("a list: %v", err)
		}
		// Nobody asks for a while, in which it comes back: many at once are all let through.
		time.Sleep(10 * time.Minute)
		down.Store(false)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if took, err := locate(lost); err != nil || took > 0 {
					t.Errorf("after a quiet time: %v, %v", took, err)
				}
			})
		}
		all.Wait()
		down.Store(true)
		if _, err := locate(lost); cairn.ReasonOf(err) != cairn.ReasonClusterUnreachable {
			t.Errorf("it is lost again: %v", err)
		}
		down.Store(false)
		time.Sleep(500 * time.Millisecond)
		for range 10 {
			if took, err := locate(lost); err != nil || took > 0 {
				t.Errorf("once it is back: after %v, %v", took, err)
			}
		}
	})
}
