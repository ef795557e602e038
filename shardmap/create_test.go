package shardmap_test

import (
	"slices"
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func newHash(uid cairn.UID, shards int) catalog.NewKeyspace {
	return catalog.NewKeyspace{Keyspace: newKeyspace(uid, cairn.SchemeHash), InitialShards: shards}
}

// TestCreateSpreads gives each cluster its share, rounded up or down, and what
// it makes can be applied and looked up in.
func TestCreateSpreads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters := newClusters(rapid.IntRange(1, 30).Draw(t, "clusters"))
		var whole uint64
		for _, c := range clusters {
			c.Weight = rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Uint32()).Draw(t, "weight")
			whole += uint64(c.Weight)
		}
		n := rapid.IntRange(1, 300).Draw(t, "shards")
		uid := cairn.UID(rapid.Uint64Min(1).Draw(t, "uid"))
		change, err := shardmap.Create(newHash(uid, n), clusters)
		if whole == 0 {
			if cairn.ReasonOf(err) != "CLUSTERS_MISSING" {
				t.Fatal(err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := shardmap.Create(newHash(uid, n), clusters)
		if diff := gocmp.Diff(change.Shards, again.Shards); err != nil || diff != "" {
			t.Fatal("not the same again", err, diff)
		}
		counts := map[cairn.UID]uint64{}
		for _, s := range change.Shards {
			counts[s.Put.Cluster]++
		}
		for _, c := range clusters {
			share := float64(n) * float64(c.Weight) / float64(whole)
			if got := float64(counts[c.UID]); got <= share-1-1e-9 || got >= share+1+1e-9 {
				t.Fatalf("%v of %d shards for a share of %v", got, n, share)
			}
		}
		checkCreated(t, change, uid, n, clusters)
	})
}

func checkCreated(t *rapid.T, change shardmap.Change, uid cairn.UID, n int, clusters []*catalog.Cluster) {
	none, err := catalog.New(nil, clusters, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b shardmap.Builder
	empty, err := b.Build(7, none)
	if err != nil {
		t.Fatal(err)
	}
	update, err := change.Update(8, none)
	if err != nil {
		t.Fatal(err)
	}
	m, err := empty.Apply(update)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := m.Catalog().KeyspaceByUID(uid)
	if m.Count(uid) != n || k.NextShard != cairn.ShardID(n+1) || k.Generation == 0 || k.ModRevision != 8 {
		t.Fatalf("%d shards of %+v", m.Count(uid), k)
	}
	// Deleting the keyspace takes the shards along.
	update, err = shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: 8, Delete: true}}}.Update(9, m.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	gone, err := m.Apply(update)
	if err != nil {
		t.Fatal(err)
	}
	if _, found := gone.Lookup(uid, nil); found || gone.Count(uid) != 0 || gone.Owners(uid) != nil {
		t.Fatal("the keyspace is still there")
	}
}

// TestCreateAlternates spreads neighbours, and the single shards of many
// keyspaces.
func TestCreateAlternates(t *testing.T) {
	change, err := shardmap.Create(newHash(1, 8), newClusters(2))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range change.Shards[1:] {
		if s.Put.Cluster == change.Shards[i].Put.Cluster {
			t.Errorf("shards %d and %d are of one cluster", i, i+1)
		}
	}
	firsts := map[cairn.UID]int{}
	for uid := range cairn.UID(30) {
		change, err := shardmap.Create(newHash(uid+1, 1), newClusters(3))
		if err != nil {
			t.Fatal(err)
		}
		firsts[change.Shards[0].Put.Cluster]++
	}
	if len(firsts) != 3 {
		t.Errorf("the shards of 30 keyspaces of one shard: %v", firsts)
	}
}

func TestCreateRange(t *testing.T) {
	k := catalog.NewKeyspace{Keyspace: newKeyspace(ranged, cairn.SchemeRange), InitialSplits: [][]byte{[]byte("g"), []byte("p")}}
	change, err := shardmap.Create(k, newClusters(3))
	if err != nil {
		t.Fatal(err)
	}
	var bounds []string
	for _, s := range change.Shards {
		bounds = append(bounds, string(s.Put.Start)+"-"+string(s.Put.End))
	}
	if !slices.Equal(bounds, []string{"-g", "g-p", "p-"}) {
		t.Error(bounds)
	}
}

func TestCreateRefuses(t *testing.T) {
	splits := func(at ...string) catalog.NewKeyspace {
		k := catalog.NewKeyspace{Keyspace: newKeyspace(ranged, cairn.SchemeRange)}
		for _, s := range at {
			k.InitialSplits = append(k.InitialSplits, []byte(s))
		}
		return k
	}
	for _, test := range []struct {
		name          string
		keyspace      catalog.NewKeyspace
		field, reason string
	}{
		{"no shards", newHash(1, 0), "placement.initial_shards", "INITIAL_SHARDS_OUT_OF_RANGE"},
		{"too many shards", newHash(1, catalog.MaxInitialShards+1), "placement.initial_shards", "INITIAL_SHARDS_OUT_OF_RANGE"},
		{"too many splits", splits(make([]string, catalog.MaxInitialShards)...), "placement.initial_splits", "INITIAL_SHARDS_OUT_OF_RANGE"},
		{"an empty split", splits("a", ""), "placement.initial_splits[1]", "KEY_EMPTY"},
		{"unsorted splits", splits("b", "a"), "placement.initial_splits[1]", "INITIAL_SPLITS_UNSORTED"},
		{"a split twice", splits("a", "b", "b"), "placement.initial_splits[2]", "INITIAL_SPLITS_UNSORTED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := shardmap.Create(test.keyspace, newClusters(1))
			e, ok := err.(*cairn.Error)
			if !ok || e.Field != test.field || e.Reason != test.reason {
				t.Fatalf("%v; want field %s, reason %s", err, test.field, test.reason)
			}
		})
	}
}
