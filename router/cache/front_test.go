package cache

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"cairn"
)

func located(index uint64) Fill {
	return Fill{Located: &cairn.Located{State: cairn.Absent, Stamp: cairn.Stamp{Epoch: 1, Index: index}}}
}

// TestFront finds an entry without the table as long as that has it, and no longer.
func TestFront(t *testing.T) {
	c := New(Options{Bytes: 1 << 20, Bound: time.Hour})
	s, _ := c.Open(SourceID{Cluster: 1, Keyspace: 2})
	s.Begin(cairn.Answer{Index: 1, Revision: 1})
	key := cairn.Key("mine")
	hash := c.hash(2, key)
	ask := Ask{Keyspace: 2, Key: key}
	take := func(index uint64) *Entry {
		t.Helper()
		if !c.Fill(s, key, located(index)) {
			t.Fatal("an answer was not taken in")
		}
		entry := c.find(&ask, hash, true)
		if entry == nil || c.front.find(hash) != entry {
			t.Fatal("what was found in the table is not in the front")
		}
		return entry
	}
	left := func(entry *Entry, why string) {
		t.Helper()
		if c.front.find(hash) == entry || c.front.place(hash).Load() == entry {
			t.Errorf("an entry is found that has been %s", why)
		}
		// Somebody had found it just before.
		c.front.keep(hash, entry)
		c.front.place(hash).Store(entry)
		if c.front.find(hash) == entry {
			t.Errorf("an entry is found that comes late and has been %s", why)
		}
	}
	first := take(2)
	second := take(3)
	left(first, "replaced")
	s.Take(cairn.WatchBatch{Answer: cairn.Answer{Index: 4, Revision: 1}, Changes: []cairn.Change{{Key: key, Stamp: cairn.Stamp{Epoch: 1, Index: 4}}}})
	left(second, "changed")
	if c.find(&ask, hash, false) != nil {
		t.Error("a key that has changed is found")
	}

	third := take(5)
	for i := 0; !third.gone.Load(); i++ {
		c.Fill(s, fmt.Appendf(nil, "other-%d", i), located(5))
		runtime.Gosched()
	}
	left(third, "given up for room")
}

// TestAskedForStays has the policy see what the front answers: a key that is asked for is
// not given up for others that nobody asks for.
func TestAskedForStays(t *testing.T) {
	c := New(Options{Bytes: 1 << 17, Bound: time.Hour})
	s, _ := c.Open(SourceID{Cluster: 1, Keyspace: 2})
	s.Begin(cairn.Answer{Index: 1, Revision: 1})
	ask := Ask{Keyspace: 2, Cluster: 1, Epoch: 1, Revision: 1, Level: cairn.AtLeast, Key: cairn.Key("mine")}
	c.Fill(s, ask.Key, located(2))
	for i := range 20_000 {
		for range 2 * noteEvery {
			if _, outcome := c.Get(&ask); outcome != Hit {
				t.Fatalf("given up after %d others", i)
			}
		}
		c.Fill(s, fmt.Appendf(nil, "other-%d", i), located(2))
	}
	if c.Stats().Evicted == 0 {
		t.Error("nothing had to be given up")
	}
}
