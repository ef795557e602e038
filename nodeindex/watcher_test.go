package nodeindex

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cairn"
	"cairn/nodeindex/changelog"
)

// watched is what a watch is to tell: each change as text, under its log index.
type watched struct {
	index uint64
	text  string
}

func watchedOf(batch cairn.WatchBatch) (out []watched) {
	for i := range batch.Changes {
		c := &batch.Changes[i]
		text := fmt.Sprintf("%s shard %d %v %v:", c.Key, c.Shard, c.Stamp, c.Time)
		for _, e := range []*cairn.Entry{c.Before, c.After} {
			if e != nil {
				text += fmt.Sprintf(" %s %v %v %s;", e.Key, e.Nodes, e.Version, e.Attributes)
			} else {
				text += " none;"
			}
		}
		out = append(out, watched{c.Stamp.Index, text})
	}
	return out
}

// watch is what a watch after a log index tells up to the present.
func (r *replica) watch(after uint64) (told []watched, err error) {
	w, err := r.x.Watch(testKeyspace, after)
	for at := after; at < r.index && err == nil; {
		var batch cairn.WatchBatch
		if batch, err = w.Poll(); err == nil {
			told, at = append(told, watchedOf(batch)...), batch.Index
		}
	}
	return told, err
}

// TestWatchFromFile does to an index what happens to one, with next to no memory
// for changes: a watch from any index tells all that happened since, as it was
// told when it did, or that it is no longer known.
func TestWatchFromFile(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		options := Options{FeedBytes: int64(rapid.SampledFrom([]int{1, 1000, 100_000}).Draw(rt, "memory"))}
		options.Changes = changelog.Options{
			Bytes: int64(rapid.SampledFrom([]int{1 << 30, 4000}).Draw(rt, "bytes")), SegmentBytes: 500,
			Lost: func(err error) { rt.Fatalf("changes lost: %v", err) },
		}
		r := openReplica(t, options)
		defer r.close()
		r.x.db.NoSync = true
		assigned := testAssignment(t, cairn.SchemeHash, 2)
		r.assign(assigned)
		r.checkpoint()
		var all []watched
		// note notes what has just happened.
		note := func(since uint64) {
			w, err := r.x.Watch(testKeyspace, since)
			if err != nil {
				rt.Fatal(err)
			}
			batch, err := w.Poll()
			if err != nil || batch.Index != r.index {
				rt.Fatalf("up to log index %d of %d: %v", batch.Index, r.index, err)
			}
			all = append(all, watchedOf(batch)...)
		}
		var unsaved [][]byte // commands since the checkpoint
		apply := func(command []byte) {
			unsaved = append(unsaved, command)
			if result := r.apply(command); result.Err != nil {
				rt.Fatal(result.Err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				var requests []*cairn.WriteRequest
				for range rapid.IntRange(1, 3).Draw(t, "requests") {
					request := &cairn.WriteRequest{Keyspace: testKeyspace}
					for range rapid.IntRange(1, 4).Draw(t, "mutations") {
						key := testKey(rapid.IntRange(0, 9).Draw(t, "key"))
						if rapid.Bool().Draw(t, "delete") {
							request.Mutations = append(request.Mutations, remove(key))
						} else {
							request.Mutations = append(request.Mutations, put(key, size(int64(len(all)))))
						}
					}
					requests = append(requests, request)
				}
				apply(r.x.Prepare(testTime, requests))
				note(r.index - 1)
			},
			"nothing": func(*rapid.T) { apply(nil) },
			"checkpoint": func(*rapid.T) {
				r.checkpoint()
				unsaved = nil
			},
			"crash": func(*rapid.T) {
				r.close()
				r.open(options)
				r.x.db.NoSync = true
				for _, command := range unsaved {
					r.apply(command)
				}
			},
			"": func(t *rapid.T) {
				after := uint64(rapid.IntRange(1, int(r.index)).Draw(t, "after"))
				got, err := r.watch(after)
				oldest := r.x.feeds.log.Floor()
				if options.Changes.Bytes == 1<<30 && oldest != 0 {
					t.Fatalf("kept from log index %d only", oldest)
				}
				if cairn.KindOf(err) == cairn.KindCompacted && after < oldest {
					return
				}
				if err != nil {
					t.Fatalf("after log index %d: %v", after, err)
				}
				want := slices.DeleteFunc(slices.Clone(all), func(c watched) bool { return c.index <= after })
				if !slices.Equal(got, want) {
					t.Fatalf("after log index %d:\n%v\nwanted\n%v", after, got, want)
				}
			},
		})
	})
}

// TestWatchToTheEnd has a keyspace leave: who watches it is told all that
// happened before, also after a restart, and then that it is not here; when it
// has come again, that what happened meanwhile is not known.
func TestWatchToTheEnd(t *testing.T) {
	options := Options{FeedBytes: 1}
	r := openReplica(t, options)
	a := testAssignment(t, cairn.SchemeHash, 2)
	r.assign(a)
	for i := range 20 {
		r.write(put(testKey(i)))
	}
	toTheEnd := func(after uint64, left error) {
		t.Helper()
		w, err := r.x.Watch(testKeyspace, after)
		if err != nil {
			t.Fatal(err)
		}
		changes := 0
		for {
			batch, err := w.Poll()
			if err != nil {
				if cairn.KindOf(err) != cairn.KindOf(left) || changes != int(21-after) {
					t.Fatalf("after log index %d: %d changes, then %v", after, changes, err)
				}
				return
			}
			changes += len(batch.Changes)
		}
	}
	r.assign(cairn.Assignment{Revision: 11})
	toTheEnd(1, errNotOwned)
	toTheEnd(9, errNotOwned)
	r.checkpoint()
	r.close()
	r.open(options)
	toTheEnd(1, errNotOwned)
	toTheEnd(9, errNotOwned)
	a.Revision = 12
	for i := range a.Shards {
		a.Shards[i].Epoch = 12
	}
	r.assign(a)
	toTheEnd(9, cairn.Errorf(cairn.KindCompacted, "STAMP_COMPACTED", "it left"))
}

// TestWatchFromMemory: what memory has is watched where the change log has given it
// up, as on a full disk.
func TestWatchFromMemory(t *testing.T) {
	r := openReplica(t, Options{})
	defer r.close()
	r.apply(nil)
	r.assign(testAssignment(t, cairn.SchemeHash, 2))
	before := r.index
	r.write(cairn.Mutation{Operation: cairn.Put, Key: cairn.Key("a")})
	r.x.feeds.log.Restart(r.index)
	if told, err := r.watch(before); err != nil || len(told) != 1 {
		t.Errorf("told %v, %v; wanted the change that memory has", told, err)
	}
	if _, err := r.x.Watch(testKeyspace, before-1); cairn.KindOf(err) != cairn.KindCompacted {
		t.Errorf("from before the change log and memory: %v", err)
	}
}
