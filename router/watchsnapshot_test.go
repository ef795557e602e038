package router_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router/internal/bed"
)

// TestSnapshotAndChanges begins to copy a keyspace by a watch while it is
// written to: who applies all that is told, in turn, has in the end what there
// is.
func TestSnapshotAndChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := open(t, 3, 6)
		random := rand.New(rand.NewPCG(3, 4))
		there := map[string]int64{}
		change := func(rounds int) {
			for i := range rounds {
				key := fmt.Sprintf("key-%d", random.IntN(3000))
				if random.IntN(3) == 0 {
					if _, _, err := r.Delete(t.Context(), bed.Things, cairn.Key(key), cairn.Condition{}, cairn.RequestID{}); err != nil {
						t.Fatal(err)
					}
					delete(there, key)
				} else {
					put(t, r, bed.Things, cairn.Key(key), int64(i))
					there[key] = int64(i)
				}
			}
		}
		change(4000)
		copied := map[string]int64{}
		done := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		go func() {
			whole := false
			done <- r.WatchSnapshot(ctx, bed.Things, func(c cairn.Changes) error {
				whole = whole || c.Token.String() != ""
				for _, change := range c.Changes {
					if change.Time.IsZero() == whole {
						t.Errorf("a change of time %v, the snapshot being told: %v", change.Time, !whole)
					}
					if string(change.Key) == "the-end" {
						return errEnough
					}
					if change.After == nil {
						delete(copied, string(change.Key))
						continue
					}
					size, _ := change.After.Attributes.Get("size")
					copied[string(change.Key)] = size.Int()
				}
				time.Sleep(time.Second) // so that much happens meanwhile
				return nil
			})
		}()
		for range 20 {
			change(100)
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Minute) // until all has been told
		put(t, r, bed.Things, cairn.Key("the-end"), 1)
		if err := <-done; !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		if len(copied) != len(there) {
			t.Errorf("copied %d entries of %d", len(copied), len(there))
		}
		for key, size := range there {
			if copied[key] != size {
				t.Errorf("%s was copied as %d, it is %d", key, copied[key], size)
			}
		}
	})
}
