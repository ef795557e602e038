package cache_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
	"cairn/router/cache"
)

const (
	modelKeyspace = cairn.UID(0xbeef0007)
	modelClusters = 2
	modelShards   = 2
	modelKeys     = 3
	modelBound    = 100 * time.Millisecond
)

func clusterUID(cluster int) cairn.UID { return cairn.UID(0x11 + cluster) }

func modelKey(key int) cairn.Key { return fmt.Appendf(nil, "key-%d", key) }

// ownership is who has a shard, and since which revision.
type ownership struct {
	cluster int
	epoch   uint64
}

// write is one value that a key had: a node's number, which no other write has, or 0
// for no entry.
type write struct {
	value   cairn.NodeID
	cluster int
	stamp   cairn.Stamp
}

// logState is what a replica has applied at one index of a cluster's log.
type logState struct {
	revision uint64
	owns     map[int]uint64 // shards, and their epochs
	position map[int]int    // in the history of each key
	changed  []int          // keys that the entry at this index changed
}

// lateFill is an answer on its way.
type lateFill struct {
	cluster, key int
	located      cairn.Located
}

// stream is what a cluster's follower has been told.
type stream struct {
	running bool
	at      int // the log's index
	told    time.Duration
}

// world is the true history of some keys, and a cache in front of it.
type world struct {
	*rapid.T
	cache   *cache.Cache
	now     time.Duration
	maps    [][modelShards]ownership // by revision
	history [modelKeys][]write
	logs    [modelClusters][]logState // by index
	streams [modelClusters]stream
	late    []lateFill
	seen    int // the reader's map
	value   cairn.NodeID
	hits    *int
}

func newWorld(t *rapid.T, hits *int) *world {
	w := &world{T: t, hits: hits}
	w.cache = cache.New(cache.Options{Bytes: 1 << 20, Bound: modelBound, Now: func() time.Duration { return w.now }})
	w.maps = [][modelShards]ownership{{}, {{0, 1}, {1, 1}}}
	w.seen = 1
	for key := range w.history {
		w.history[key] = []write{{cluster: w.shard(key) % modelClusters}}
	}
	for cluster := range w.logs {
		w.logs[cluster] = []logState{{revision: 1, owns: map[int]uint64{cluster: 1}, position: map[int]int{}}}
		source, _ := w.cache.Open(w.id(cluster))
		source.Begin(cairn.Answer{Index: 0, Revision: 1})
		w.streams[cluster] = stream{running: true}
	}
	return w
}

func (w *world) id(cluster int) cache.SourceID {
	return cache.SourceID{Cluster: clusterUID(cluster), Keyspace: modelKeyspace}
}

func (w *world) shard(key int) int { return key % modelShards }

func (w *world) draw(label string, least, most int) int {
	return rapid.IntRange(least, most).Draw(w.T, label)
}

func (w *world) last(cluster int) *logState { return &w.logs[cluster][len(w.logs[cluster])-1] }

// entry appends an entry to a log, which changes the state before it.
func (w *world) entry(cluster int, change func(*logState)) {
	before := w.last(cluster)
	next := logState{revision: before.revision, owns: maps.Clone(before.owns), position: maps.Clone(before.position)}
	change(&next)
	w.logs[cluster] = append(w.logs[cluster], next)
}

// note has a log note the newest map.
func (w *world) note(cluster int) {
	revision := len(w.maps) - 1
	w.entry(cluster, func(s *logState) {
		s.revision = uint64(revision)
		clear(s.owns)
		for shard, owner := range w.maps[revision] {
			if owner.cluster == cluster {
				s.owns[shard] = owner.epoch
			}
		}
	})
}

// Write writes a key where it lives. A former owner that has not heard of the move
// takes no writes: it was fenced.
func (w *world) Write(*rapid.T) {
	key := w.draw("key", 0, modelKeys-1)
	owner := w.maps[len(w.maps)-1][w.shard(key)]
	written := write{cluster: owner.cluster, stamp: cairn.Stamp{Epoch: owner.epoch, Index: uint64(len(w.logs[owner.cluster]))}}
	if w.draw("delete", 0, 3) > 0 {
		w.value++
		written.value = w.value
	}
	w.entry(owner.cluster, func(s *logState) {
		s.position[key] = len(w.history[key])
		s.changed = []int{key}
	})
	w.history[key] = append(w.history[key], written)
}

// Move changes a shard's owner, or its bounds alone. The former owner's log may not know
// for a while.
func (w *world) Move(*rapid.T) {
	shard := w.draw("shard", 0, modelShards-1)
	next := w.maps[len(w.maps)-1]
	from := next[shard].cluster
	next[shard] = ownership{w.draw("to", 0, modelClusters-1), uint64(len(w.maps))}
	w.maps = append(w.maps, next)
	to := next[shard].cluster
	if from != to {
		w.entry(to, func(s *logState) {
			for key := range modelKeys {
				if w.shard(key) == shard {
					s.position[key] = len(w.history[key]) - 1
				}
			}
		})
	}
	w.note(to)
	if from != to && w.draw("released", 0, 1) == 1 {
		w.note(from)
	}
}

// Note has a log note the newest map, which mostly says nothing new of it.
func (w *world) Note(*rapid.T) { w.note(w.draw("cluster", 0, modelClusters-1)) }

// Answer has some replica answer a locate, mostly the owner's. Some answers stay on their
// way for a while.
func (w *world) Answer(*rapid.T) {
	key := w.draw("key", 0, modelKeys-1)
	cluster := w.maps[len(w.maps)-1][w.shard(key)].cluster
	if w.draw("elsewhere", 0, 3) == 0 {
		cluster = w.draw("cluster", 0, modelClusters-1)
	}
	log := w.logs[cluster]
	at := w.draw("applied", max(0, len(log)-4), len(log)-1)
	epoch, owned := log[at].owns[w.shard(key)]
	if !owned {
		return
	}
	// A replica may have gone on since it looked at its index, under the same epoch.
	stamp := max(0, at-w.draw("behind", 0, 1))
	if log[stamp].owns[w.shard(key)] != epoch {
		stamp = at
	}
	located := cairn.Located{State: cairn.Absent, Stamp: cairn.Stamp{Epoch: epoch, Index: uint64(stamp)}}
	if value := w.history[key][log[at].position[key]].value; value != 0 {
		located.State, located.Nodes = cairn.Found, []cairn.NodeID{value}
	}
	w.late = append(w.late, lateFill{cluster, key, located})
	if w.draw("late", 0, 1) == 0 {
		w.fill(len(w.late) - 1)
	}
}

// Fill has an answer arrive.
func (w *world) Fill(*rapid.T) {
	if len(w.late) > 0 {
		w.fill(w.draw("which", 0, len(w.late)-1))
	}
}

func (w *world) fill(i int) {
	fill := w.late[i]
	w.late = slices.Delete(w.late, i, i+1)
	w.cache.Fill(w.cache.Source(w.id(fill.cluster)), modelKey(fill.key), cache.Fill{Located: &fill.located})
}

// Stream tells a follower what some replica has applied, or begins to.
func (w *world) Stream(*rapid.T) {
	cluster := w.draw("cluster", 0, modelClusters-1)
	stream, log, source := &w.streams[cluster], w.logs[cluster], w.cache.Source(w.id(cluster))
	stream.told = w.now
	if !stream.running {
		stream.running, stream.at = true, w.draw("from", max(0, len(log)-4), len(log)-1)
		source.Begin(cairn.Answer{Index: uint64(stream.at), Revision: log[stream.at].revision})
		return
	}
	upTo := w.draw("up-to", stream.at, len(log)-1)
	batch := cairn.WatchBatch{Answer: cairn.Answer{Index: uint64(upTo), Revision: log[upTo].revision}}
	for index := stream.at + 1; index <= upTo; index++ {
		for _, key := range log[index].changed {
			batch.Changes = append(batch.Changes, cairn.Change{Key: modelKey(key), Stamp: cairn.Stamp{Index: uint64(index)}})
		}
	}
	stream.at = upTo
	source.Take(batch)
}

// Break ends a stream that can't go on where it was.
func (w *world) Break(*rapid.T) {
	cluster := w.draw("cluster", 0, modelClusters-1)
	w.streams[cluster].running = false
	if w.draw("known", 0, 1) == 1 {
		w.cache.Source(w.id(cluster)).End()
	}
}

// Wait lets time pass.
func (w *world) Wait(*rapid.T) {
	w.now += time.Duration(w.draw("milliseconds", 1, 60)) * time.Millisecond
}

// ask asks for a key by some map that the reader may have, no older than its token.
func (w *world) ask(key int, level cairn.Level, token cairn.Token) (cluster int, entry *cache.Entry) {
	w.seen = w.draw("map", max(w.seen, int(token.Epoch)), len(w.maps)-1)
	owner := w.maps[w.seen][w.shard(key)]
	entry, outcome := get(w.cache, &cache.Ask{
		Keyspace: modelKeyspace, Key: modelKey(key), Cluster: clusterUID(owner.cluster), Epoch: owner.epoch,
		Revision: uint64(w.seen), Level: level, Index: token.Index(clusterUID(owner.cluster)),
	})
	if (outcome == cache.Hit) != (entry != nil) {
		w.Fatalf("outcome %d with entry %v", outcome, entry)
	}
	if entry != nil {
		*w.hits++
		w.honest(key, owner.cluster, entry)
	}
	return owner.cluster, entry
}

// positionOf is the last place in a key's history that an entry may be from.
func (w *world) positionOf(key int, entry *cache.Entry) int {
	var value cairn.NodeID
	if entry.State == cairn.Found {
		value = entry.Located().Nodes[0]
	}
	for i, written := range slices.Backward(w.history[key]) {
		if written.value == value {
			return i
		}
	}
	w.Fatalf("key %d: %d was never written", key, value)
	return 0
}

// honest checks that an entry is no older than what it hands its reader as a token.
func (w *world) honest(key, cluster int, entry *cache.Entry) {
	told := entry.Token().Index(clusterUID(cluster))
	if at := w.logs[cluster][told].position[key]; w.positionOf(key, entry) < at {
		w.Fatalf("key %d: value %d of the history says that it is as of index %d, where it was value %d", key, w.positionOf(key, entry), told, at)
	}
}

// AtLeast reads with a token of some writes. The answer must be no older than any.
func (w *world) AtLeast(*rapid.T) {
	key := w.draw("key", 0, modelKeys-1)
	var token cairn.Token
	covered := 0
	for each, history := range w.history {
		position := len(history) - 1 - w.draw("unseen", 0, 2)
		if position <= 0 {
			continue
		}
		seen := history[position]
		token = token.With(clusterUID(seen.cluster), seen.stamp)
		if each == key {
			covered = position
		}
	}
	if _, entry := w.ask(key, cairn.AtLeast, token); entry != nil && w.positionOf(key, entry) < covered {
		w.Fatalf("key %d: answered with value %d of its history, and the token had seen %d", key, w.positionOf(key, entry), covered)
	}
}

// Eventual reads what may be old, but no older than what was told within the bound.
func (w *world) Eventual(*rapid.T) {
	key := w.draw("key", 0, modelKeys-1)
	cluster, entry := w.ask(key, cairn.Eventual, cairn.Token{})
	if entry == nil {
		return
	}
	stream := &w.streams[cluster]
	if w.now-stream.told > modelBound {
		w.Fatalf("key %d: answered %s after the source was told anything", key, w.now-stream.told)
	}
	if at := w.logs[cluster][stream.at].position[key]; w.positionOf(key, entry) < at {
		w.Fatalf("key %d: answered with value %d of its history, and the source was told of %d", key, w.positionOf(key, entry), at)
	}
	told := w.logs[cluster][stream.at]
	if epoch, owns := told.owns[w.shard(key)]; entry.Stamp().Index <= uint64(stream.at) && (!owns || epoch != entry.Stamp().Epoch) {
		w.Fatalf("key %d: answered under epoch %d, and the source was told that its log has another owner", key, entry.Stamp().Epoch)
	}
}

// Linearizable reads are not answered.
func (w *world) Linearizable(*rapid.T) {
	if _, entry := w.ask(w.draw("key", 0, modelKeys-1), cairn.Linearizable, cairn.Token{}); entry != nil {
		w.Fatalf("a linearizable read was answered")
	}
}

// Check has nothing to do: each action checks what it got.
func (w *world) Check(*rapid.T) {}

// TestNoAnswerIsOlderThanItsToken has keys written, shards moved and split, streams
// break and lag, and answers come late.
func TestNoAnswerIsOlderThanItsToken(t *testing.T) {
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 5 {
			t.Repeat(rapid.StateMachineActions(newWorld(t, &hits)))
		}
	})
	if hits == 0 {
		t.Error("the cache never answered")
	}
}
