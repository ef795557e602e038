package plan_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/plan"

	gocmp "github.com/google/go-cmp/cmp"
)

// lines is what a plan does and what it can't, one a line.
func lines(p *plan.Plan) string {
	var out strings.Builder
	for _, s := range p.Steps {
		out.WriteString(s.String() + "\n")
	}
	for _, h := range p.Held {
		out.WriteString(h.String() + "\n")
	}
	return out.String()
}

// TestMake is plans small enough to be thought through.
func TestMake(t *testing.T) {
	for _, test := range []struct {
		name  string
		scene func(t *testing.T) plan.Input
		want  string
	}{
		{"even clusters are left alone", func(t *testing.T) plan.Input {
			return newScene(t, 1, 1).keyspace(hashed, []int{0, 1, 0, 1}, times(4, 100)).input()
		}, ""},
		{"the fullest gives to the emptiest", func(t *testing.T) plan.Input {
			return all(newScene(t, 1, 1, 1).keyspace(hashed, []int{0, 0, 0, 0, 0, 1, 1, 1, 2}, times(9, 100)).input())
		}, `
move hash/1 from c0 to c2 (100 entries, imbalance 1.6667 to 1.3333): c0 is at 1.67 of its fair share, c2 at 0.33
move hash/2 from c0 to c2 (100 entries, imbalance 1.3333 to 1.0000): c0 is at 1.33 of its fair share, c2 at 0.67
`},
		{"a weight of 3 is a share of 3, and one of 0 neither takes nor gives", func(t *testing.T) plan.Input {
			return all(newScene(t, 1, 3, 0).keyspace(hashed, []int{0, 0, 0, 1, 2, 2, 2, 2}, times(8, 100)).input())
		}, `
move hash/1 from c0 to c1 (100 entries, imbalance 3.0000 to 2.0000): c0 is at 3.00 of its fair share, c1 at 0.33
move hash/2 from c0 to c1 (100 entries, imbalance 2.0000 to 1.0000): c0 is at 2.00 of its fair share, c1 at 0.67
`},
		{"a cluster with half of its nodes down has half a share", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 0, 1, 1, 1}, times(6, 100))
			s.clusters[0].Nodes[1].State = cairn.NodeDown
			return all(s.input())
		}, `
move hash/1 from c0 to c1 (100 entries, imbalance 1.5000 to 1.0000): c0 is at 1.50 of its fair share, c1 at 0.75
`},
		{"what is hot and small goes before what is large", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 0, 0, 1}, []int{4000, 1000, 10, 1000, 4000})
			s.load(hashed, 3, 2000)
			return byReads(all(s.input()))
		}, `
move hash/3 from c0 to c1 (10 entries, imbalance 1.3333 to 1.0000): c0 is at 1.33 of its fair share, c1 at 0.67
`},
		{"a new cluster gets no more than the budget", func(t *testing.T) plan.Input {
			return newScene(t, 1, 1, 1).keyspace(hashed, append(times(20, 0), times(20, 1)...), times(40, 100)).input()
		}, `
move hash/1 from c0 to c2 (100 entries, imbalance 1.5000 to 1.5000): c0 is at 1.50 of its fair share, c2 at 0.00
move hash/21 from c1 to c2 (100 entries, imbalance 1.5000 to 1.4250): c1 is at 1.50 of its fair share, c2 at 0.08
move hash/2 from c0 to c2 (100 entries, imbalance 1.4250 to 1.4250): c0 is at 1.43 of its fair share, c2 at 0.15
c0 keeps 18 shards of 1800 entries: the round's budget is spent
c1 keeps 19 shards of 1900 entries: the round's budget is spent
`},
		{"nor more than the moves of a round", func(t *testing.T) plan.Input {
			in := all(newScene(t, 1, 1).keyspace(hashed, times(4, 0), times(4, 100)).input())
			in.Settings.Moves = 1
			return in
		}, `
move hash/1 from c0 to c1 (100 entries, imbalance 2.0000 to 1.5000): c0 is at 2.00 of its fair share, c1 at 0.00
c0 keeps 3 shards of 300 entries: the round's budget is spent
`},
		{"a drained cluster is emptied, but for what is pinned, was just moved or arrives there", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1, 1).keyspace(hashed, []int{0, 0, 0, 0, 1, 2}, []int{100, 200, 300, 50, 100, 300})
			s.shard(hashed, 2).Pinned = true
			in := all(s.input())
			in.Drain = []cairn.UID{firstCluster}
			in.Recent = []plan.Moved{{Keyspace: hashed, Start: s.shards[3].Start, End: s.shards[3].End, At: now.Add(-9 * time.Minute)}}
			in.Arriving = map[shardmap.ShardRef]cairn.UID{{Keyspace: hashed, ID: 6}: firstCluster}
			return in
		}, `
move hash/3 from c0 to c2 (300 entries, imbalance 0.1905 to 0.5714): c0 is to be emptied
move hash/1 from c0 to c1 (100 entries, imbalance 0.5714 to 0.5714): c0 is to be emptied
c0 keeps 1 shards of 300 entries: a move of them is on its way
c0 keeps 1 shards of 200 entries: they are pinned
c0 keeps 1 shards of 50 entries: they were moved a short while ago
`},
		{"what was moved ten minutes ago may move", func(t *testing.T) plan.Input {
			in := all(newScene(t, 1, 1).keyspace(hashed, []int{0}, []int{100}).input())
			in.Drain = []cairn.UID{firstCluster}
			in.Recent = []plan.Moved{{Keyspace: hashed, At: now.Add(-10 * time.Minute)}}
			return in
		}, `
move hash/1 from c0 to c1 (100 entries, imbalance 0.0000 to 1.0000): c0 is to be emptied
`},
		{"nobody takes what a drained cluster has", func(t *testing.T) plan.Input {
			in := all(newScene(t, 1, 0).keyspace(hashed, []int{0}, []int{100}).input())
			in.Drain = []cairn.UID{firstCluster}
			return in
		}, `
c0 keeps 1 shards of 100 entries: no cluster that may take them has room
`},
		{"nobody moves the data of a keyspace", func(t *testing.T) plan.Input {
			in := all(newScene(t, 1, 1).keyspace(hashed, times(4, 0), times(4, 100)).input())
			in.Fixed = []cairn.UID{hashed}
			return in
		}, `
c0 keeps 4 shards of 400 entries: nobody would move their keyspace's data
`},
		{"a shard stays in its zone where a cluster of it has room", func(t *testing.T) plan.Input {
			return all(zoned(newScene(t, 1, 1, 1), "east", "west", "east").keyspace(hashed, times(12, 0), times(12, 100)).input())
		}, `
move hash/1 from c0 to c2 (100 entries, imbalance 3.0000 to 2.7500): c0 is at 3.00 of its fair share, c2 at 0.00
move hash/2 from c0 to c2 (100 entries, imbalance 2.7500 to 2.5000): c0 is at 2.75 of its fair share, c2 at 0.25
move hash/3 from c0 to c2 (100 entries, imbalance 2.5000 to 2.2500): c0 is at 2.50 of its fair share, c2 at 0.50
move hash/4 from c0 to c2 (100 entries, imbalance 2.2500 to 2.0000): c0 is at 2.25 of its fair share, c2 at 0.75
move hash/5 from c0 to c1 (100 entries, imbalance 2.0000 to 1.7500): c0 is at 2.00 of its fair share, c1 at 0.00
move hash/6 from c0 to c1 (100 entries, imbalance 1.7500 to 1.5000): c0 is at 1.75 of its fair share, c1 at 0.25
move hash/7 from c0 to c1 (100 entries, imbalance 1.5000 to 1.2500): c0 is at 1.50 of its fair share, c1 at 0.50
move hash/8 from c0 to c1 (100 entries, imbalance 1.2500 to 1.0000): c0 is at 1.25 of its fair share, c1 at 0.75
`},
		{"or always, if it has to", func(t *testing.T) plan.Input {
			in := all(zoned(newScene(t, 1, 1), "east", "west").keyspace(hashed, []int{0, 0}, times(2, 100)).input())
			in.Settings.Zones = plan.ZonesKeep
			in.Drain = []cairn.UID{firstCluster}
			return in
		}, `
c0 keeps 2 shards of 200 entries: no cluster that may take them has room
`},
		{"a zone that is full as a whole keeps what it has, and nothing is split", func(t *testing.T) plan.Input {
			in := all(zoned(newScene(t, 1, 1, 1), "east", "east", "west").keyspace(hashed, []int{0, 0, 0, 1, 1, 1, 2}, []int{400, 10, 400, 400, 400, 1, 100}).input())
			in.Settings.Zones = plan.ZonesKeep
			return in
		}, `
c0 keeps 2 shards of 800 entries: no cluster that may take them has room
c1 keeps 2 shards of 800 entries: no cluster that may take them has room
`},
		{"zones may count for nothing", func(t *testing.T) plan.Input {
			in := all(zoned(newScene(t, 1, 1, 1), "east", "west", "east").keyspace(hashed, []int{0, 0, 0, 0, 0, 0, 1, 2, 2}, times(9, 100)).input())
			in.Settings.Zones = plan.ZonesIgnore
			return in
		}, `
move hash/1 from c0 to c1 (100 entries, imbalance 2.0000 to 1.6667): c0 is at 2.00 of its fair share, c1 at 0.33
move hash/2 from c0 to c1 (100 entries, imbalance 1.6667 to 1.3333): c0 is at 1.67 of its fair share, c1 at 0.67
move hash/3 from c0 to c2 (100 entries, imbalance 1.3333 to 1.0000): c0 is at 1.33 of its fair share, c2 at 0.67
`},
		{"a drained cluster's shard leaves its zone if there is no room in it", func(t *testing.T) plan.Input {
			in := all(zoned(newScene(t, 1, 1, 1), "east", "west", "east").keyspace(hashed, []int{0, 1, 2}, []int{100, 150, 250}).input())
			in.Drain = []cairn.UID{firstCluster}
			return in
		}, `
move hash/1 from c0 to c1 (100 entries, imbalance 1.0000 to 1.0000): c0 is to be emptied
`},
		{"a cluster below its fair share gives nothing", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1, 1).keyspace(hashed, []int{0, 1, 1, 1}, []int{5000, 100, 100, 100})
			s.shard(hashed, 1).Pinned = true
			return all(s.input())
		}, `
c0 keeps 1 shards of 5000 entries: they are pinned
`},
		{"a drained cluster's shards that are above the budget are split, up or down", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 1, 1}, times(4, 100))
			for n := range s.clusters[0].Nodes {
				s.clusters[0].Nodes[n].State = cairn.NodeDown
			}
			in := s.input()
			in.Drain = []cairn.UID{firstCluster}
			return in
		}, `
split hash/1 at 2000000000000000 (100 entries, imbalance 0.5000 to 0.5000): too large to move, with 25.0% of its keyspace's entries
split hash/2 at 6000000000000000 (100 entries, imbalance 0.5000 to 0.5000): too large to move, with 25.0% of its keyspace's entries
`},
		{"a shard too hot to move is split", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1).keyspace(hashed, []int{0, 1, 0, 1}, times(4, 100))
			s.load(hashed, 1, 800)
			return byReads(all(s.input()))
		}, `
move hash/3 from c0 to c1 (100 entries, imbalance 1.6364 to 1.4545): c0 is at 1.64 of its fair share, c1 at 0.36
split hash/1 at 2000000000000000 (100 entries, imbalance 1.4545 to 1.4545): too large to move, with 25.0% of its keyspace's entries and 1.45 of its cluster's fair share
`},
		{"where its load is halved, if that is known", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1).keyspace(ranged, []int{0, 1}, times(2, 100))
			s.load(ranged, 1, 800)
			s.loads[shardmap.ShardRef{Keyspace: ranged, ID: 1}] = plan.Load{Entries: 100, Reads: 800, Middle: []byte("a")}
			return byReads(all(s.input()))
		}, `
split range/1 at 61 (100 entries, imbalance 1.7778 to 1.7778): too large to move, with 50.0% of its keyspace's entries and 1.78 of its cluster's fair share
`},
		{"a range shard without a known middle can't be", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1).keyspace(ranged, []int{0, 1}, times(2, 100))
			s.load(ranged, 1, 800)
			return byReads(all(s.input()))
		}, `
c0 keeps 1 shards of 100 entries: each is too large to move, and no key is known to split it at
`},
		{"nor can a single entry", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1).keyspace(hashed, []int{0, 1}, times(2, 1))
			s.load(hashed, 1, 800)
			return byReads(all(s.input()))
		}, `
c0 keeps 1 shards of 1 entries: each is too large to move, and no key is known to split it at
`},
		{"a shard above the budget is split, to be moved in parts", func(t *testing.T) plan.Input {
			in := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 0, 0, 0, 1}, times(6, 100)).input()
			in.Settings.Splits = 1
			return in
		}, `
split hash/1 at 1555555555555555 (100 entries, imbalance 1.6667 to 1.6667): too large to move, with 16.7% of its keyspace's entries and 0.33 of its cluster's fair share
c0 keeps 4 shards of 400 entries: each is too large to move at once
`},
		{"a pinned shard is left alone, and nothing moves for the sake of moving", func(t *testing.T) plan.Input {
			s := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 0, 1, 1}, []int{5000, 100, 1, 1000, 1000})
			s.shard(hashed, 1).Pinned = true
			return all(s.input())
		}, `
move hash/2 from c0 to c1 (100 entries, imbalance 1.4367 to 1.4085): c0 is at 1.44 of its fair share, c1 at 0.56
c0 keeps 1 shards of 5000 entries: they are pinned
`},
		{"shards that nobody knows anything about are evened out by number", func(t *testing.T) plan.Input {
			in := all(newScene(t, 1, 1).keyspace(hashed, times(4, 0), times(4, 0)).input())
			in.Loads = nil
			return in
		}, `
move hash/1 from c0 to c1 (0 entries, imbalance 2.0000 to 1.5000): c0 is at 2.00 of its fair share, c1 at 0.00
move hash/2 from c0 to c1 (0 entries, imbalance 1.5000 to 1.0000): c0 is at 1.50 of its fair share, c1 at 0.50
`},
		{"cold neighbours are merged, the coldest first, while there are too many shards", func(t *testing.T) plan.Input {
			in := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 0, 1, 1, 1}, []int{300, 30, 10, 20, 5, 315}).input()
			in.Settings.ShardsPerCluster = 2
			return in
		}, `
merge hash/4 with 5 (25 entries, imbalance 1.0000 to 1.0000): there are 2 shards too many, and these two together are below the mean
merge hash/2 with 3 (40 entries, imbalance 1.0000 to 1.0000): there are 2 shards too many, and these two together are below the mean
`},
		{"what is hot or large is not merged", func(t *testing.T) plan.Input {
			s := newScene(t, 1).keyspace(hashed, times(6, 0), []int{5, 5, 500, 500, 5, 5})
			for i, reads := range []float64{900, 900, 1, 1, 1, 1} {
				s.load(hashed, cairn.ShardID(i+1), reads)
			}
			in := byReads(s.input())
			in.Settings.ShardsPerCluster = 1
			return in
		}, `
merge hash/5 with 6 (10 entries, imbalance 1.0000 to 1.0000): there are 5 shards too many, and these two together are below the mean
`},
		{"nor are neighbours brought together that are more than a hundredth of all", func(t *testing.T) plan.Input {
			in := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 1, 1}, []int{5000, 110, 160, 5100}).input()
			in.Settings.ShardsPerCluster = 1
			return in
		}, ""},
		{"where two are being brought together nobody else takes one of them in", func(t *testing.T) plan.Input {
			in := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 1, 1, 1}, []int{5100, 10, 5, 12, 5000}).input()
			in.Settings.ShardsPerCluster = 1
			return in
		}, `
move hash/2 from c0 to c1 (10 entries, imbalance 1.0092 to 1.0072): to be merged with 3, its neighbour there
`},
		{"neighbours of two clusters are brought together first", func(t *testing.T) plan.Input {
			in := newScene(t, 1, 1).keyspace(hashed, []int{0, 0, 1, 1}, []int{5000, 10, 40, 5050}).input()
			in.Settings.ShardsPerCluster = 1
			return in
		}, `
move hash/3 from c1 to c0 (40 entries, imbalance 1.0079 to 1.0000): to be merged with 2, its neighbour there
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := lines(mustMake(t, test.scene(t)))
			if diff := gocmp.Diff(strings.TrimPrefix(test.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNewClusterAmongMany holds that a new cluster gets its share even where
// everyone else is within the tolerance without giving any.
func TestNewClusterAmongMany(t *testing.T) {
	weights := make([]uint32, 31)
	var owners []int
	for i := range weights {
		weights[i] = 1
		if i < 30 {
			owners = append(owners, times(30, i)...)
		}
	}
	p := mustMake(t, newScene(t, weights...).keyspace(hashed, owners, times(900, 100)).input())
	if p.Before.Imbalance > 1.05 || p.Before.Least > 0 || p.After.Least < 0.95 || p.After.Imbalance > p.Before.Imbalance {
		t.Errorf("%+v to %+v", p.Before, p.After)
	}
}

// TestSplitsMakeADifference holds that of a cluster which is somewhat too full
// large shards are split, and none whose halves would even out less than the
// tolerance.
func TestSplitsMakeADifference(t *testing.T) {
	weights, owners, entries := []uint32{1}, times(24, 0), times(24, 104) // at 1.06 of its share
	for i := range 20 {
		weights, owners, entries = append(weights, 1), append(owners, i+1), append(entries, 2351)
	}
	p := mustMake(t, newScene(t, weights...).keyspace(hashed, owners, entries).input())
	if len(p.Steps) > 0 {
		t.Errorf("small shards: %s", p.Steps[0])
	}
	owners, entries = append(times(2, 0), owners[24:]...), append(times(2, 1248), entries[24:]...)
	p = mustMake(t, newScene(t, weights...).keyspace(hashed, owners, entries).input())
	if len(p.Steps) != 2 || p.Steps[0].Kind != plan.Split || p.Steps[1].Kind != plan.Split {
		t.Errorf("large shards: %s", lines(p))
	}
}

// all has a budget that nothing is too large for.
func all(in plan.Input) plan.Input {
	in.Settings.Share = 1
	return in
}

func byReads(in plan.Input) plan.Input {
	in.Settings.Measure = plan.ByLoad()
	return in
}

// zoned puts clusters into zones, in their order.
func zoned(s *scene, zones ...string) *scene {
	for i, zone := range zones {
		s.clusters[i].Zone = zone
	}
	return s
}

// load sets the reads of a shard.
func (s *scene) load(keyspace cairn.UID, id cairn.ShardID, reads float64) {
	ref := shardmap.ShardRef{Keyspace: keyspace, ID: id}
	load := s.loads[ref]
	load.Reads = reads
	s.loads[ref] = load
}

// TestRecentFollowsKeys holds that what was moved cools down by its keys, not
// by its id: after a split both halves do, and after a merge all of it.
func TestRecentFollowsKeys(t *testing.T) {
	s := newScene(t, 1, 1).keyspace(hashed, times(4, 0), times(4, 100))
	in := all(s.input())
	half := bound(hashed, 1, 8) // inside the first shard
	for _, test := range []struct {
		name       string
		start, end []byte
		stay       int
	}{
		{"two shards that were one", nil, s.shards[1].End, 2},
		{"a part of what is one shard now", half, s.shards[0].End, 1},
		{"a part of two", half, bound(hashed, 3, 8), 2},
		{"up to the end", s.shards[2].Start, nil, 2},
		{"all of it", nil, nil, 4},
	} {
		in.Drain = []cairn.UID{firstCluster}
		in.Recent = []plan.Moved{{Keyspace: hashed, Start: test.start, End: test.end, At: now}}
		if moves := len(mustMake(t, in).Steps); moves != 4-test.stay {
			t.Errorf("%s: %d of 4 shards move; want %d to stay", test.name, moves, test.stay)
		}
	}
}

// TestPlanKeepsTheTimeAlone holds that a plan made by a real clock is the same
// when it is read from its file.
func TestPlanKeepsTheTimeAlone(t *testing.T) {
	in := newScene(t, 1).keyspace(hashed, []int{0}, []int{1}).input()
	in.Now = time.Now()
	if made := mustMake(t, in).Made; made != in.Now.UTC().Round(0) {
		t.Errorf("%#v", made)
	}
}

// TestClusterThatIsNotDeclared holds that a shard whose owner the catalog does
// not have stays, counts for nobody, and that the owner is shown by its uid.
func TestClusterThatIsNotDeclared(t *testing.T) {
	p := mustMake(t, all(newScene(t, 1).keyspace(hashed, []int{0, 7}, times(2, 100)).input()))
	if len(p.Steps) > 0 || p.Before.Imbalance != 1 {
		t.Errorf("%s: %v", p, p.Steps)
	}
	if len(p.Clusters) != 2 || p.Clusters[0].Name != "0000000000001007" || p.Clusters[0].Capacity != 0 || p.Clusters[1].Name != "c0" {
		t.Errorf("%+v", p.Clusters)
	}
}

func TestMakeRefuses(t *testing.T) {
	ref := shardmap.ShardRef{Keyspace: hashed, ID: 2}
	for _, test := range []struct {
		name   string
		change func(in *plan.Input)
		field  string
		reason string
	}{
		{"a share above all", func(in *plan.Input) { in.Settings.Share = 1.5 }, "share", "SETTING_OUT_OF_RANGE"},
		{"a share that is no number", func(in *plan.Input) { in.Settings.Share = math.NaN() }, "share", "SETTING_OUT_OF_RANGE"},
		{"a tolerance below 0", func(in *plan.Input) { in.Settings.Tolerance = -1 }, "tolerance", "SETTING_OUT_OF_RANGE"},
		{"moves below 0", func(in *plan.Input) { in.Settings.Moves = -1 }, "moves", "SETTING_OUT_OF_RANGE"},
		{"a time below 0", func(in *plan.Input) { in.Settings.CoolDown = -1 }, "cool_down", "SETTING_OUT_OF_RANGE"},
		{"no such zones", func(in *plan.Input) { in.Settings.Zones = 9 }, "zones", "SETTING_OUT_OF_RANGE"},
		{"a cost without end", func(in *plan.Input) { in.Settings.Measure.Read = math.Inf(1) }, "measure.read", "SETTING_OUT_OF_RANGE"},
		{"reads that are no number", func(in *plan.Input) { in.Loads[ref] = plan.Load{Reads: math.NaN()} }, "loads.hash/2.reads", "LOAD_OUT_OF_RANGE"},
		{"writes below 0", func(in *plan.Input) { in.Loads[ref] = plan.Load{Writes: -1} }, "loads.hash/2.writes", "LOAD_OUT_OF_RANGE"},
		{"more entries than can be", func(in *plan.Input) { in.Loads[ref] = plan.Load{Entries: 1<<40 + 1} }, "loads.hash/2.entries", "LOAD_OUT_OF_RANGE"},
		{"one load too large to be summed", func(in *plan.Input) { in.Loads[ref] = plan.Load{Reads: 1e18} }, "loads.hash/2.reads", "LOAD_OUT_OF_RANGE"},
		{"loads too large to be summed", func(in *plan.Input) {
			for id := range cairn.ShardID(8) {
				in.Loads[shardmap.ShardRef{Keyspace: hashed, ID: id + 1}] = plan.Load{Reads: 1.1e15}
			}
		}, "loads", "LOAD_OUT_OF_RANGE"},
		{"a cluster that is not there", func(in *plan.Input) { in.Drain = []cairn.UID{7} }, "drain", "CLUSTER_NOT_FOUND"},
	} {
		in := newScene(t, 1, 1).keyspace(hashed, []int{0, 1, 0, 1, 0, 1, 0, 1}, times(8, 100)).input()
		in.Settings.Measure = plan.Measure{Entry: 1, Read: 1, Write: 1}
		test.change(&in)
		_, err := plan.Make(in)
		e, ok := err.(*cairn.Error)
		if !ok || e.Kind != cairn.KindInvalid || e.Field != test.field || e.Reason != test.reason {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
