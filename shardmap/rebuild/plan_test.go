package rebuild_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/rebuild"
)

const (
	north, south = cairn.UID(0xa1), cairn.UID(0xa2)
	things       = cairn.UID(0xb1)
)

var now = time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)

// knows is what an index of a cluster knows that noted a map with these shards of one
// keyspace.
func knows(t testing.TB, cluster cairn.UID, revision uint64, pinned bool, shards ...cairn.Shard) rebuild.Known {
	t.Helper()
	schema, err := cairn.NewSchema(nil)
	if err != nil {
		t.Fatal(err)
	}
	keyspace := cairn.Keyspace{UID: things, Name: "things", Placement: cairn.Placement{Scheme: cairn.SchemeRange}, Replicas: 1, Schema: schema}
	names := map[cairn.UID]string{north: "north", south: "south"}
	c, err := catalog.New(
		[]*catalog.Keyspace{{Keyspace: keyspace, Generation: 1, NextShard: 9, NextAttribute: 1, Mover: catalog.MoverExternal, Revision: 1, ModRevision: 1}},
		[]*catalog.Cluster{{UID: cluster, Name: names[cluster], Weight: 3, NextNode: 2, Nodes: []cairn.Node{{ID: 1, Name: "a", Address: "a:1", Weight: 1, State: cairn.NodeActive}}, Revision: 1}},
		[]*catalog.View{{UID: 0xc1, Name: "all", Keyspace: things, NextVersion: 2, Serving: &catalog.ViewVersion{Number: 1}, Revision: 1}})
	if err != nil {
		t.Fatal(err)
	}
	var b shardmap.Builder
	b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: things, ID: 1, Epoch: 1}, Cluster: cluster, Pinned: pinned, Revision: 1})
	m, err := b.Build(revision, c)
	if err != nil {
		t.Fatal(err)
	}
	a := m.Assignment(cluster)
	for i := range shards {
		shards[i].Keyspace = things
	}
	a.Shards = shards
	return rebuild.Known{Source: "/data/" + names[cluster], Of: cluster, Replica: "r", Map: cairn.KnownMap{Assignment: a, Applied: revision}}
}

func shard(id cairn.ShardID, start, end string, epoch uint64, move cairn.UID) cairn.Shard {
	return cairn.Shard{ID: id, Start: []byte(start), End: []byte(end), Epoch: epoch, Move: move}
}

func plan(t *testing.T, o rebuild.Options, known ...rebuild.Known) *rebuild.Plan {
	t.Helper()
	o.Now = now
	p, err := rebuild.New(known, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// show is a keyspace's shards in short.
func show(p *rebuild.Plan) (out []string) {
	for _, s := range p.Keyspaces[0].Shards {
		text := fmt.Sprintf("%s [%s,%s) %s", s.ID, s.Start, s.End, s.Owner)
		for flag, on := range map[string]bool{" lost": s.Lost, " staged": s.Staged, " pinned": s.Pinned} {
			if on {
				text += flag
			}
		}
		out = append(out, text)
	}
	return out
}

func TestPlan(t *testing.T) {
	staged := knows(t, south, 20, false, shard(2, "m", "", 5, 0))
	staged.Map.Staged = []cairn.StagedShard{{Shard: cairn.Shard{Keyspace: things, ID: 1, End: []byte("m"), Epoch: 4, Move: 77}, Attempt: 3, Whole: true}}
	for name, c := range map[string]struct {
		options   rebuild.Options
		known     []rebuild.Known
		want      []string
		overruled int
		gaps      int
		moves     int
	}{
		"as it was": {
			known: []rebuild.Known{knows(t, north, 20, true, shard(1, "", "m", 4, 0)), knows(t, south, 19, false, shard(2, "m", "", 5, 7))},
			want:  []string{"1 [,m) north pinned", "2 [m,) south"},
		},
		"a release that was missed": {
			known: []rebuild.Known{knows(t, north, 20, false, shard(1, "", "m", 4, 0), shard(2, "m", "", 5, 0)), knows(t, south, 22, false, shard(2, "m", "", 21, 7))},
			want:  []string{"1 [,m) north", "2 [m,) south"}, overruled: 1,
		},
		"a split and a move that were missed": {
			known: []rebuild.Known{knows(t, north, 8, false, shard(1, "", "", 4, 0)), knows(t, south, 22, false, shard(1, "", "m", 21, 7))},
			want:  []string{"1 [,m) south", "9 [m,) north"}, overruled: 1,
		},
		"a replica that is behind": {
			known: []rebuild.Known{knows(t, north, 8, false, shard(1, "", "", 4, 0)), knows(t, north, 9, false, shard(1, "", "m", 9, 0), shard(2, "m", "", 9, 0))},
			want:  []string{"1 [,m) north", "2 [m,) north"},
		},
		"a gap": {
			known: []rebuild.Known{knows(t, north, 20, false, shard(1, "", "b", 4, 0), shard(3, "x", "", 4, 0))},
			want:  []string{"1 [,b) north", "3 [x,) north"}, gaps: 1,
		},
		"a gap that is given up": {
			options: rebuild.Options{Missing: "north"},
			known:   []rebuild.Known{knows(t, north, 20, false, shard(1, "", "b", 4, 0), shard(3, "x", "", 4, 0))},
			want:    []string{"1 [,b) north", "9 [b,x) north lost", "3 [x,) north"},
		},
		"a move under way": {
			known: []rebuild.Known{knows(t, north, 20, false, shard(1, "", "m", 4, 0)), staged},
			want:  []string{"1 [,m) north", "2 [m,) south"}, moves: 1,
		},
		"a move whose target had not heard": {
			known: []rebuild.Known{knows(t, north, 20, false), staged},
			want:  []string{"2 [m,) south"}, gaps: 1,
		},
		"a move whose target is to have it": {
			options: rebuild.Options{Staged: true, Missing: "north"},
			known:   []rebuild.Known{knows(t, north, 20, false), staged},
			want:    []string{"1 [,m) south staged", "2 [m,) south"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(t, c.options, c.known...)
			k := p.Keyspaces[0]
			if got := show(p); !slices.Equal(got, c.want) || len(k.Overruled) != c.overruled || len(k.Gaps) != c.gaps || len(p.Moves) != c.moves {
				t.Errorf("%q, overruled %+v, gaps %+v, moves %+v\nwant %q", got, k.Overruled, k.Gaps, p.Moves, c.want)
			}
			if err := p.Check(); (err != nil) != (c.gaps > 0) || err != nil && cairn.ReasonOf(err) != "MAP_GAPS" {
				t.Errorf("checked: %v", err)
			}
			if len(k.Views) != 1 || k.Mover != catalog.MoverExternal || p.Clusters[0].Weight != 3 {
				t.Errorf("%+v", k)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	bare := knows(t, south, 20, false)
	bare.Map.Records = nil
	namesake := knows(t, south, 20, false, shard(1, "", "", 4, 0))
	namesake.Of, namesake.Source = 0xa3, "/data/old"
	whole := knows(t, north, 20, false, shard(1, "", "", 4, 0))
	for reason, try := range map[string]struct {
		options rebuild.Options
		known   []rebuild.Known
	}{
		"CLUSTER_UNRECORDED": {known: []rebuild.Known{whole, bare}},
		"CLUSTER_TWICE":      {known: []rebuild.Known{whole, knows(t, south, 20, false), namesake}},
		"CLUSTER_NOT_FOUND":  {options: rebuild.Options{Missing: "east"}, known: []rebuild.Known{whole}},
		"KEYSPACE_NOT_FOUND": {options: rebuild.Options{Without: []string{"other"}}, known: []rebuild.Known{whole}},
	} {
		if _, err := rebuild.New(try.known, try.options); cairn.ReasonOf(err) != reason {
			t.Errorf("want %s, got %v", reason, err)
		}
	}
	without := plan(t, rebuild.Options{Without: []string{"things"}}, whole)
	if len(without.Keyspaces) != 0 {
		t.Errorf("%+v", without.Keyspaces)
	}
}

// TestPlanCovers: whatever indexes have noted, each key is whose claim on it is of the
// highest epoch, ids are given once, and the map is one that can be.
func TestPlanCovers(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		bound := rapid.IntRange(0, 9)
		byCluster := map[cairn.UID][]cairn.Shard{}
		epoch := uint64(1)
		for range rapid.IntRange(1, 12).Draw(r, "claims") {
			epoch++
			from, length := bound.Draw(r, "from"), rapid.IntRange(1, 10).Draw(r, "length")
			s := cairn.Shard{ID: cairn.ShardID(rapid.IntRange(1, 12).Draw(r, "id")), Epoch: epoch}
			if from > 0 {
				s.Start = []byte{byte(from)}
			}
			if from+length < 10 {
				s.End = []byte{byte(from + length)}
			}
			cluster := rapid.SampledFrom([]cairn.UID{north, south}).Draw(r, "cluster")
			byCluster[cluster] = append(byCluster[cluster], s)
		}
		known := []rebuild.Known{knows(t, north, 100, false, byCluster[north]...), knows(t, south, 100, false, byCluster[south]...)}
		p, err := rebuild.New(known, rebuild.Options{Missing: "north", Now: now})
		if err != nil || p.Check() != nil {
			r.Fatal(err, p.Check())
		}
		for key := range 10 {
			want := cairn.Shard{}
			owner := north
			for cluster, shards := range byCluster {
				for _, s := range shards {
					if (shardmap.Shard{Shard: s}).Contains([]byte{byte(key)}) && s.Epoch > want.Epoch {
						want, owner = s, cluster
					}
				}
			}
			for _, s := range p.Keyspaces[0].Shards {
				if s.Contains([]byte{byte(key)}) && (s.Cluster != owner || s.Epoch != want.Epoch) {
					r.Fatalf("key %d is in %s, want cluster %s by epoch %d", key, s, owner, want.Epoch)
				}
			}
		}
		changes := p.Changes()
		update, err := changes[0].Update(200, catalogOf(t))
		if err != nil {
			r.Fatal(err)
		}
		var b shardmap.Builder
		for _, s := range update.Set {
			b.Add(s)
			if s.ID >= update.Catalog.Keyspaces()[0].NextShard || s.Epoch != 200 {
				r.Fatalf("%s, and the next id is %s", s, update.Catalog.Keyspaces()[0].NextShard)
			}
		}
		if _, err := b.Build(200, update.Catalog); err != nil {
			r.Fatal(err)
		}
		if !slices.IsSortedFunc(p.Keyspaces[0].Shards, func(a, b rebuild.Shard) int { return bytes.Compare(a.Start, b.Start) }) {
			r.Fatal("not in order")
		}
	})
}

func catalogOf(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
