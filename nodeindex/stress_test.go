package nodeindex

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap/placement"
)

// stressEnv sets how many seconds each stress test runs; without it, as many
// as every change can afford.
const stressEnv = "CAIRN_STRESS_SECONDS"

func stressTime(t *testing.T) time.Duration {
	text := os.Getenv(stressEnv)
	if text == "" {
		return time.Second
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 1 {
		t.Fatalf("%s is %q; want a number of seconds", stressEnv, text)
	}
	return time.Duration(seconds) * time.Second
}

// watchdog ends the process with every goroutine's stack if the test does not
// end in time: a deadlock would say nothing else.
func watchdog(t *testing.T, after time.Duration) {
	timer := time.AfterFunc(after, func() {
		stacks := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs:\n%s", t.Name(), stacks[:runtime.Stack(stacks, true)]))
	})
	t.Cleanup(func() { timer.Stop() })
}

// TestStress has readers of all kinds look at an index while it is written,
// checkpointed, its shards split, merged, sent away and brought back, and its
// file grown past its map. Every answer must be exactly what was true at its
// stamp.
func TestStress(t *testing.T) {
	for name, scheme := range map[string]cairn.Scheme{"hash": cairn.SchemeHash, "range": cairn.SchemeRange} {
		t.Run(name, func(t *testing.T) {
			watchdog(t, stressTime(t)+30*time.Second)
			s := newStress(t, scheme)
			ctx, stop := context.WithTimeout(t.Context(), stressTime(t))
			defer stop()
			var running sync.WaitGroup
			for range 2 {
				running.Go(func() { s.locates(ctx) })
			}
			running.Go(func() { s.lists(ctx) })
			running.Go(func() { s.watches(ctx) })
			s.applies(ctx)
			running.Wait()
			s.verify()
			t.Logf("%d log entries, %d checkpoints, %d MiB mapped, %d keys located, %d listings, %d changes watched",
				s.replica.index, s.checkpoints.Load(), s.replica.x.mapped>>20, len(s.located), s.listings.Load(), len(s.watched))
		})
	}
}

const stressKeys = 20_000

// stress is one run. Keys below permanentKeys are written first and never
// deleted.
type stress struct {
	t       *testing.T
	replica *replica
	scheme  cairn.Scheme

	// history is, by key, what the log made of it, ascending by index. Only
	// applies uses it, and verify when everything has ended.
	history     [stressKeys][]stressState
	assignment  cairn.Assignment
	away        bool // the last shard
	nextShard   cairn.ShardID
	checkpoints atomic.Int64
	listings    atomic.Int64

	mu      sync.Mutex // guards what follows
	located []stressSample
	watched []cairn.Change
}

const permanentKeys = 300

type stressState struct {
	index uint64
	value int64 // -1: no entry
}

type stressSample struct {
	key   int
	state cairn.LocateState
	stamp cairn.Stamp
	value int64
}

func newStress(t *testing.T, scheme cairn.Scheme) *stress {
	s := &stress{t: t, scheme: scheme, replica: openReplica(t, Options{MapBytes: 1 << 15, FeedBytes: 1 << 30}), nextShard: 1}
	s.replica.x.db.NoSync = true
	s.assignment = testAssignment(t, scheme, 1)
	s.assignment.Shards = nil
	s.split(false)
	var mutations []cairn.Mutation
	for key := range permanentKeys {
		mutations = append(mutations, put(testKey(key), size(0)))
		s.history[key] = append(s.history[key], stressState{s.replica.index + 1, 0})
	}
	s.replica.write(mutations...)
	return s
}

// bound is one of nine places where shards are cut.
func (s *stress) bound(i int) []byte {
	switch {
	case i == 0 || i == 8:
		return nil
	case s.scheme == cairn.SchemeRange:
		return []byte(testKey(stressKeys * i / 8))
	}
	return binary.BigEndian.AppendUint64(nil, uint64(i)<<61)
}

// leaves reports whether a key is in the last eighth, which comes and goes.
func (s *stress) leaves(key int) bool {
	p := cairn.Placement{Scheme: s.scheme}
	return string(placement.Key(p, cairn.Key(testKey(key)), nil)) >= string(s.bound(7))
}

// split cuts everything but the last eighth anew, and has that there or away.
func (s *stress) split(away bool) {
	s.assignment.Revision++
	old := s.assignment.Shards
	s.assignment.Shards = nil
	shard := func(from, to int) {
		bounds := cairn.Shard{Keyspace: testKeyspace, Start: s.bound(from), End: s.bound(to)}
		at := slices.IndexFunc(old, func(o cairn.Shard) bool { return sameBounds(&o, &bounds) })
		if at >= 0 {
			bounds = old[at]
		} else {
			bounds.ID, bounds.Epoch = s.nextShard, s.assignment.Revision
			s.nextShard++
		}
		s.assignment.Shards = append(s.assignment.Shards, bounds)
	}
	from := 0
	for to := 1; to <= 7; to++ {
		if to == 7 || rand.N(2) == 0 {
			shard(from, to)
			from = to
		}
	}
	before := s.away
	if s.away = away; !away {
		shard(7, 8)
	}
	s.replica.assign(s.assignment)
	if !away || before {
		return
	}
	for key := range s.history {
		if h := s.history[key]; len(h) > 0 && s.leaves(key) {
			s.history[key] = append(h, stressState{s.replica.index, -1})
		}
	}
}

// applies is the goroutine of the log.
func (s *stress) applies(ctx context.Context) {
	r := s.replica
	written := make(chan error, 1)
	writing := false
	for n := 0; ctx.Err() == nil; n++ {
		if n%97 == 0 {
			s.split(rand.N(3) == 0)
		}
		if !writing && n%40 == 0 {
			c, err := r.x.Freeze()
			if err != nil {
				s.t.Error(err)
				return
			}
			writing = true
			go func() {
				index, term := c.Position()
				written <- c.Write(CheckpointMeta{Index: index, Term: term})
			}()
		}
		select {
		case err := <-written:
			writing = false
			if s.checkpoints.Add(1); err != nil {
				s.t.Error(err)
				return
			}
		default:
		}
		s.write(min(stressKeys, permanentKeys+n*4))
		if n%32 == 0 {
			runtime.Gosched() // on few cores the readers would starve
		}
	}
	if writing {
		if err := <-written; err != nil {
			s.t.Error(err)
		}
	}
}

// write applies one command of writes to keys below a bound.
func (s *stress) write(below int) {
	var mutations []cairn.Mutation
	var keys []int
	for range 20 {
		key := rand.N(below)
		keys = append(keys, key)
		if key >= permanentKeys && rand.N(4) == 0 {
			mutations = append(mutations, remove(testKey(key)))
		} else {
			mutations = append(mutations, put(testKey(key), size(int64(s.replica.index+1)), name(strings.Repeat("x", rand.N(600)))))
		}
	}
	for i, result := range s.replica.write(mutations...) {
		if result.Err != nil {
			if result.Err.Reason != "NOT_OWNED" || !s.away || !s.leaves(keys[i]) {
				s.t.Error(result.Err)
			}
			continue
		}
		state := stressState{s.replica.index, int64(s.replica.index)}
		if mutations[i].Operation == cairn.Delete {
			state.value = -1
		}
		s.history[keys[i]] = append(s.history[keys[i]], state)
	}
}

// at is a key's state at a log index.
func (s *stress) at(key int, index uint64) int64 {
	h := s.history[key]
	n, _ := slices.BinarySearchFunc(h, index+1, func(each stressState, index uint64) int {
		if each.index < index {
			return -1
		}
		return 1
	})
	if n == 0 {
		return -1
	}
	return h[n-1].value
}

func (s *stress) locates(ctx context.Context) {
	var samples []stressSample
	var reply cairn.LocateReply
	for ctx.Err() == nil {
		req := cairn.LocateRequest{Read: cairn.Read{Keyspace: testKeyspace}, WithAttributes: true}
		var keys []int
		for range 10 {
			keys = append(keys, rand.N(stressKeys))
			if rand.N(2) == 0 {
				keys[len(keys)-1] = rand.N(2 * permanentKeys)
			}
			req.Keys = append(req.Keys, cairn.Key(testKey(keys[len(keys)-1])))
		}
		if err := s.replica.x.Locate(&req, &reply); err != nil {
			s.t.Error(err)
			return
		}
		for i, result := range reply.Results {
			sample := stressSample{keys[i], result.State, result.Stamp, -1}
			if result.State == cairn.Found {
				value, _ := result.Attributes.Get(2)
				sample.value = value.Int()
			}
			if len(samples) < 1<<20 {
				samples = append(samples, sample)
			}
		}
	}
	s.mu.Lock()
	s.located = append(s.located, samples...)
	s.mu.Unlock()
	last := make(map[int]cairn.Stamp)
	for _, sample := range samples {
		if sample.state == cairn.NotOwned {
			continue
		}
		if before := last[sample.key]; sample.stamp.Compare(before) < 0 {
			s.t.Errorf("key %d: %v after %v", sample.key, sample.stamp, before)
			return
		}
		last[sample.key] = sample.stamp
	}
}

func (s *stress) lists(ctx context.Context) {
	for ctx.Err() == nil {
		var reply cairn.ListReply
		req := cairn.ListRequest{Read: cairn.Read{Keyspace: testKeyspace}, Limit: 500}
		seen, last := 0, ""
		for {
			if err := s.replica.x.List(&req, &reply); err != nil {
				s.t.Error(err)
				return
			}
			for _, entry := range reply.Entries {
				key := string(entry.Key)
				if key <= last {
					s.t.Errorf("%s is listed after %s", key, last)
					return
				}
				if last = key; key < testKey(permanentKeys) {
					seen++
				}
				if value, _ := entry.Attributes.Get(2); uint64(value.Int()) != entry.Version.Index && value.Int() != 0 {
					s.t.Errorf("%s of version %v has the value of %d", key, entry.Version, value.Int())
					return
				}
			}
			if !reply.More {
				break
			}
			req.Start = append(slices.Clone(reply.Entries[len(reply.Entries)-1].Key), 0)
		}
		s.listings.Add(1)
		if want := permanentKeys; s.scheme == cairn.SchemeRange && seen != want {
			s.t.Errorf("%d permanent keys are listed; want %d", seen, want)
			return
		}
	}
}

func (s *stress) watches(ctx context.Context) {
	w, err := s.replica.x.Watch(testKeyspace, 1)
	for err == nil {
		var batch cairn.WatchBatch
		if batch, err = w.Next(ctx); err == nil {
			s.mu.Lock()
			s.watched = append(s.watched, batch.Changes...)
			s.mu.Unlock()
		}
	}
	if ctx.Err() == nil {
		s.t.Error(err)
	}
}

// verify holds everything seen against the history.
func (s *stress) verify() {
	for _, sample := range s.located {
		if sample.state == cairn.NotOwned {
			if !s.leaves(sample.key) {
				s.t.Errorf("key %d is not owned", sample.key)
			}
			continue
		}
		if want := s.at(sample.key, sample.stamp.Index); sample.value != want {
			s.t.Fatalf("key %d at %v is %d; want %d", sample.key, sample.stamp, sample.value, want)
		}
	}
	var last uint64
	for _, change := range s.watched {
		key, err := strconv.Atoi(strings.TrimPrefix(string(change.Key), "customer-"))
		if err != nil || change.Stamp.Index < last {
			s.t.Fatalf("after index %d: %+v, %v", last, change, err)
		}
		last = change.Stamp.Index
		want := s.at(key, change.Stamp.Index)
		if change.After == nil {
			continue // it may have been put again by the same log entry
		}
		if value, _ := change.After.Attributes.Get(2); want >= 0 && value.Int() != want {
			s.t.Fatalf("key %d changed at %v to %d; want %d", key, change.Stamp, value.Int(), want)
		}
	}
	for key := range s.history {
		got := s.replica.locate(testKey(key))
		if want := s.at(key, s.replica.index); (got.State == cairn.Found) != (want >= 0) {
			s.t.Errorf("in the end key %d is %+v; want %d", key, got, want)
		}
	}
}
