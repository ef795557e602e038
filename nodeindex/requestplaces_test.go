package nodeindex

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"cairn"
)

// goingAlong are the records of a tail that go along with a shard, with where each ends, by
// the offsets that are looked at.
func goingAlong(t *requestTail, shard cairn.ShardID, bounded uint64, offsets func(yield func(int) bool)) (out []movedRequest, ends []int) {
	for offset := range offsets {
		if r, _, behind := t.next(shard, bounded, offset); len(r.outcomes) > 0 {
			out, ends = append(out, r), append(ends, behind)
		}
	}
	return out, ends
}

// TestPlacesOfRequests looks for what goes along with shards among records that grow, from
// any record on, as who goes through all of them.
func TestPlacesOfRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &requestSlice{second: 7}
		shard := rapid.Uint64Range(1, 4)
		oldest := rapid.Uint64Range(1, 9).Draw(t, "oldest epoch")
		starts := []int{0}
		var tails []requestTail
		for round := range rapid.IntRange(1, 5).Draw(t, "rounds") {
			for n := range rapid.IntRange(0, 6).Draw(t, "records") {
				index := uint64(round*10 + n + 1)
				var outcomes []outcome
				for i := range rapid.IntRange(1, 5).Draw(t, "outcomes") {
					outcomes = append(outcomes, outcome{
						position: uint32(i), shard: cairn.ShardID(shard.Draw(t, "shard")), nodes: []cairn.NodeID{3},
						version: cairn.Version{Epoch: rapid.Uint64Range(oldest, 9).Draw(t, "epoch"), Index: index, Position: uint32(i)},
					})
				}
				s.add([16]byte{byte(index)}, uint32(index), index, outcomes)
				starts = append(starts, len(s.records))
			}
			q := &requests{keyspaces: map[cairn.UID][]*requestSlice{testKeyspace: {s}}}
			tails = append(tails, q.since(testKeyspace, 0)...)
			if len(tails) == 0 {
				continue
			}
			// One of before the slice grew is asked as well.
			tail := &tails[rapid.IntRange(0, len(tails)-1).Draw(t, "tail")]
			from := starts[rapid.IntRange(0, len(starts)-1).Draw(t, "from")]
			of, bounded := cairn.ShardID(shard.Draw(t, "of")), rapid.Uint64Range(1, 9).Draw(t, "bounded")
			want, wantEnds := goingAlong(tail, of, bounded, func(yield func(int) bool) {
				for _, start := range starts {
					if start >= from && start < len(tail.records) && !yield(start) {
						return
					}
				}
			})
			got, gotEnds := goingAlong(tail, of, bounded, tail.of(of, bounded, from))
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotEnds, wantEnds) {
				t.Fatalf("shard %d bounded at %d, from %d of %d: %+v up to %v, want %+v up to %v", of, bounded, from, len(tail.records), got, gotEnds, want, wantEnds)
			}
		}
	})
}

// BenchmarkRequestsOfAShard finds what goes along with one shard of 20 among the requests of
// five minutes, 5,000 a second: again, as who moves shard after shard, and by going through
// all of it.
func BenchmarkRequestsOfAShard(b *testing.B) {
	const seconds, each, shards = 300, 5_000, 20
	q := &requests{keyspaces: map[cairn.UID][]*requestSlice{}}
	for second := range int64(seconds) {
		s := q.slice(testKeyspace, second)
		for n := range each {
			index := uint64(second)*each + uint64(n) + 1
			s.add([16]byte{byte(n), byte(n >> 8), byte(second), byte(second >> 8)}, uint32(mix(index)), index, []outcome{{
				shard: cairn.ShardID(mix(index)%shards + 1), version: cairn.Version{Epoch: 7, Index: index}, nodes: []cairn.NodeID{3},
			}})
		}
	}
	tails := q.since(testKeyspace, 0)
	for _, way := range []struct {
		name    string
		bounded uint64
	}{{"places", 7}, {"all", 8}} {
		b.Run(way.name, func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				found, shard := 0, cairn.ShardID(n%shards+1)
				for i := range tails {
					t := &tails[i]
					for offset := range t.of(shard, way.bounded, 0) {
						d := decoder{rest: t.records[offset:]}
						_, _, outcomes := d.record()
						for o := (outcome{}); outcomes.next(&o); {
							if o.shard == shard {
								found++
							}
						}
					}
				}
				if found < seconds*each/shards/2 {
					b.Fatalf("%d requests of shard %d", found, shard)
				}
			}
		})
	}
}
