package cache_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn"
	"cairn/router/cache"
)

var things = cache.SourceID{Cluster: 0x11, Keyspace: 0xbeef}

// begun is a cache with a source that began at an index, and its clock.
func begun(bytes int64, index uint64) (*cache.Cache, *cache.Source, *time.Duration) {
	now := new(time.Duration)
	c := cache.New(cache.Options{Bytes: bytes, Bound: time.Second, Now: func() time.Duration { return *now }})
	s, _ := c.Open(things)
	s.Begin(cairn.Answer{Index: index, Revision: 3})
	return c, s, now
}

// asked is a read of a key by the map at revision 3.
func asked(key string, level cairn.Level, index uint64) *cache.Ask {
	return &cache.Ask{
		Keyspace: things.Keyspace, Key: cairn.Key(key), Cluster: things.Cluster,
		Epoch: 2, Revision: 3, Level: level, Index: index,
	}
}

func found(index uint64, node cairn.NodeID) cache.Fill {
	return cache.Fill{Located: &cairn.Located{State: cairn.Found, Stamp: cairn.Stamp{Epoch: 2, Index: index}, Nodes: []cairn.NodeID{node}}}
}

// get is what Get finds, nil if nothing.
func get(c *cache.Cache, ask *cache.Ask) (*cache.Entry, cache.Outcome) {
	var answer cache.Answer
	outcome := c.Get(ask, &answer)
	if outcome != cache.Hit {
		return nil, outcome
	}
	return &answer.Entry, outcome
}

func want(t *testing.T, c *cache.Cache, ask *cache.Ask, outcome cache.Outcome) *cache.Entry {
	t.Helper()
	entry, got := get(c, ask)
	if got != outcome {
		t.Errorf("key %s, %s of index %d: outcome %d, want %d", ask.Key, ask.Level, ask.Index, got, outcome)
	}
	return entry
}

func changed(index uint64, keys ...string) cairn.WatchBatch {
	batch := cairn.WatchBatch{Answer: cairn.Answer{Index: index, Revision: 3}}
	for _, key := range keys {
		batch.Changes = append(batch.Changes, cairn.Change{Key: cairn.Key(key), Stamp: cairn.Stamp{Epoch: 2, Index: index}})
	}
	return batch
}

func TestServes(t *testing.T) {
	c, s, now := begun(1<<20, 10)
	if !c.Fill(s, cairn.Key("a"), found(12, 7)) {
		t.Fatal("an answer newer than the session was not taken in")
	}
	want(t, c, asked("b", cairn.Eventual, 0), cache.Miss)
	want(t, c, asked("a", cairn.Linearizable, 0), cache.Unproven)
	if entry := want(t, c, asked("a", cairn.AtLeast, 12), cache.Hit); entry == nil || entry.Located().Nodes[0] != 7 || entry.Token().Index(things.Cluster) != 12 {
		t.Errorf("the entry is %+v", entry)
	}
	want(t, c, asked("a", cairn.AtLeast, 13), cache.Unproven)
	s.Take(changed(20, "b"))
	want(t, c, asked("a", cairn.AtLeast, 20), cache.Hit)
	want(t, c, asked("a", cairn.AtLeast, 21), cache.Unproven)

	*now += time.Second
	want(t, c, asked("a", cairn.Eventual, 0), cache.Hit)
	*now++
	want(t, c, asked("a", cairn.Eventual, 0), cache.Unproven)
	want(t, c, asked("a", cairn.AtLeast, 20), cache.Hit) // unproven is not wrong
	s.Take(changed(20))
	want(t, c, asked("a", cairn.Eventual, 0), cache.Hit)

	attributes := asked("a", cairn.Eventual, 0)
	attributes.WithAttributes = true
	want(t, c, attributes, cache.Miss)

	s.Take(changed(21, "a"))
	want(t, c, asked("a", cairn.AtLeast, 12), cache.Miss)
}

// TestAbsent keeps that a key has no entry.
func TestAbsent(t *testing.T) {
	c, s, _ := begun(1<<20, 10)
	c.Fill(s, cairn.Key("a"), cache.Fill{Located: &cairn.Located{State: cairn.Absent, Stamp: cairn.Stamp{Epoch: 2, Index: 12}}, WithAttributes: true})
	if entry := want(t, c, asked("a", cairn.AtLeast, 12), cache.Hit); entry == nil || entry.State != cairn.Absent {
		t.Errorf("the entry is %+v", entry)
	}
}

// TestOtherMaps reads by other maps than the entry came by.
func TestOtherMaps(t *testing.T) {
	c, s, _ := begun(1<<20, 10)
	c.Fill(s, cairn.Key("a"), found(12, 7))
	moved := asked("a", cairn.AtLeast, 0)
	moved.Epoch, moved.Revision = 4, 4
	want(t, c, moved, cache.Miss)
	elsewhere := asked("a", cairn.AtLeast, 0)
	elsewhere.Cluster = 0x12
	want(t, c, elsewhere, cache.Miss)
	other := asked("a", cairn.AtLeast, 0)
	other.Keyspace = 0xbee
	c.Open(cache.SourceID{Cluster: things.Cluster, Keyspace: other.Keyspace})
	want(t, c, other, cache.Unproven)
	behind := asked("a", cairn.AtLeast, 0)
	behind.Revision = 2
	want(t, c, behind, cache.Unproven)
	want(t, c, asked("a", cairn.AtLeast, 0), cache.Hit)
}

// TestLateAnswers are of before the session, before a change, or before what is there.
func TestLateAnswers(t *testing.T) {
	c, s, _ := begun(1<<20, 10)
	if c.Fill(s, cairn.Key("a"), found(9, 1)) {
		t.Error("an answer from before the session was taken in")
	}
	s.Take(changed(15, "a"))
	if c.Fill(s, cairn.Key("a"), found(14, 1)) {
		t.Error("an answer from before a change of its key was taken in")
	}
	if !c.Fill(s, cairn.Key("a"), found(15, 2)) {
		t.Error("the answer of the change itself was not taken in")
	}
	c.Fill(s, cairn.Key("a"), found(17, 2))
	if c.Fill(s, cairn.Key("a"), found(16, 1)) {
		t.Error("an answer from before the entry was taken in")
	}
	s.Begin(cairn.Answer{Index: 18, Revision: 3})
	want(t, c, asked("a", cairn.AtLeast, 0), cache.Miss)
	if !c.Fill(s, cairn.Key("a"), found(18, 2)) {
		t.Error("an answer of the new session was not taken in")
	}
	want(t, c, asked("a", cairn.AtLeast, 18), cache.Hit)
	c.Close(s)
	want(t, c, asked("a", cairn.AtLeast, 18), cache.Miss)
	if c.Fill(s, cairn.Key("a"), found(19, 2)) {
		t.Error("an answer of a source that is closed was taken in")
	}
}

// TestRoom has the cache take about the memory that it may.
func TestRoom(t *testing.T) {
	const room = 2 << 20
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("nodes=%d", nodes), func(t *testing.T) {
			before := heap()
			c, s, _ := begun(room, 10)
			for i := range 12_000 {
				fill := found(12, 7)
				fill.Located.Nodes = make([]cairn.NodeID, nodes)
				key := fmt.Sprintf("customer-%07d", i)
				c.Fill(s, cairn.Key(key), fill)
				if nodes > 1 {
					if entry, _ := get(c, asked(key, cairn.Eventual, 0)); entry != nil {
						entry.Name(&cache.Named{Location: cairn.Location{Replicas: make([]*cairn.Node, nodes-1)}})
					}
				}
			}
			deadline := time.Now().Add(10 * time.Second)
			for c.Stats().Bytes > room && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			stats, took := c.Stats(), heap()-before
			t.Logf("%d entries, %d bytes by their sizes, %d on the heap, %d given up", stats.Entries, stats.Bytes, took, stats.Evicted)
			if stats.Bytes > room || stats.Bytes < room*8/10 || stats.Evicted == 0 {
				t.Errorf("%d bytes in room for %d; %d entries were given up", stats.Bytes, room, stats.Evicted)
			}
			if took > room*5/4 {
				t.Errorf("%d bytes of the heap for entries of %d", took, stats.Bytes)
			}
			runtime.KeepAlive(c)
		})
	}
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestTogether fills and changes one key from several goroutines: once a change has been
// taken in, nothing from before it is served.
func TestTogether(t *testing.T) {
	c, s, _ := begun(1<<20, 0)
	const last = 3_000
	var group sync.WaitGroup
	var applied, taken sync.Mutex
	var index, proven uint64
	group.Go(func() { // the log and its stream
		for i := uint64(1); i <= last; i++ {
			applied.Lock()
			index = i
			applied.Unlock()
			s.Take(changed(i, "a"))
			taken.Lock()
			proven = i
			taken.Unlock()
		}
	})
	for range 4 {
		group.Go(func() {
			for i := uint64(0); i < last; {
				applied.Lock()
				i = index
				applied.Unlock()
				c.Fill(s, cairn.Key("a"), found(i, cairn.NodeID(i+1)))
				taken.Lock()
				floor := proven
				taken.Unlock()
				if entry, _ := get(c, asked("a", cairn.AtLeast, floor)); entry != nil && uint64(entry.Node()) <= floor {
					t.Errorf("the value of index %d was served as of %d", entry.Node()-1, floor)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestCounts counts what was asked.
func TestCounts(t *testing.T) {
	c, s, _ := begun(1<<20, 10)
	c.Fill(s, cairn.Key("a"), found(12, 7))
	for range 3 {
		get(c, asked("a", cairn.Eventual, 0))
	}
	get(c, asked("a", cairn.AtLeast, 99))
	get(c, asked("b", cairn.Eventual, 0))
	get(c, asked("b", cairn.Eventual, 0))
	stats := c.Stats()
	if len(stats.Sources) != 1 || stats.Entries != 1 {
		t.Fatalf("stats are %+v", stats)
	}
	if got := stats.Sources[0]; got.SourceID != things || got.Hits != 3 || got.Unproven != 1 || got.Misses != 2 || !got.Proven {
		t.Errorf("the source's stats are %+v", got)
	}
}

// TestWholeKeys has keys that differ in their last byte only, and nodes of many kinds.
func TestWholeKeys(t *testing.T) {
	c, s, _ := begun(1<<20, 10)
	for _, length := range []int{1, 39, 40, 41, 1024} {
		for i, last := range []string{"a", "b"} {
			nodes := make([]cairn.NodeID, length%7+1)
			nodes[0] = cairn.NodeID(length + i)
			fill := found(12, 0)
			fill.Located.Nodes = nodes
			c.Fill(s, cairn.Key(strings.Repeat("k", length-1)+last), fill)
			nodes[0] = 0 // the reply is used again
		}
	}
	for _, length := range []int{1, 39, 40, 41, 1024} {
		for i, last := range []string{"a", "b"} {
			entry := want(t, c, asked(strings.Repeat("k", length-1)+last, cairn.AtLeast, 12), cache.Hit)
			if entry == nil || entry.Located().Nodes[0] != cairn.NodeID(length+i) || len(entry.Located().Nodes) != length%7+1 {
				t.Errorf("%d bytes, %s: the entry is %+v", length, last, entry)
			}
		}
		want(t, c, asked(strings.Repeat("k", length-1)+"c", cairn.AtLeast, 12), cache.Miss)
	}
}
