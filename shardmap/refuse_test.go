package shardmap_test

import (
	"strings"
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// rangeShard is a shard of the ranged keyspace at revision 5.
func rangeShard(id cairn.ShardID, start, end string) shardmap.Shard {
	return shardmap.Shard{
		Shard:   cairn.Shard{Keyspace: ranged, ID: id, Start: []byte(start), End: []byte(end), Epoch: 5},
		Cluster: clusterBase, Revision: 5,
	}
}

func rangeCatalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New([]*catalog.Keyspace{newKeyspace(ranged, cairn.SchemeRange)}, newClusters(2), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func build(c *catalog.Catalog, shards ...shardmap.Shard) (*shardmap.Map, error) {
	var b shardmap.Builder
	for _, s := range shards {
		b.Add(s)
	}
	return b.Build(5, c)
}

func TestBuildRefuses(t *testing.T) {
	with := func(change func(*shardmap.Shard)) []shardmap.Shard {
		s := rangeShard(1, "", "")
		change(&s)
		return []shardmap.Shard{s}
	}
	for _, test := range []struct {
		name   string
		shards []shardmap.Shard
		reason string
		says   []string
	}{
		{"none", nil, "SHARDS_HOLE", []string{"keyspace range-34", "[first, end)"}},
		{"a hole at the start", []shardmap.Shard{rangeShard(1, "b", "")}, "SHARDS_HOLE", []string{"[first, b)", "shard 1"}},
		{"a hole at the end", []shardmap.Shard{rangeShard(1, "", "b")}, "SHARDS_HOLE", []string{"[b, end)", "shard 1"}},
		{"a hole between", []shardmap.Shard{rangeShard(2, "c", ""), rangeShard(1, "", "b")}, "SHARDS_HOLE", []string{"[b, c)", "shard 1", "shard 2"}},
		{"an overlap", []shardmap.Shard{rangeShard(1, "", "c"), rangeShard(2, "b", "")}, "SHARDS_OVERLAP", []string{"shard 1 [first, c)", "shard 2 [b, end)"}},
		{"one range twice", []shardmap.Shard{rangeShard(1, "", ""), rangeShard(2, "", "")}, "SHARDS_OVERLAP", []string{"shard 1", "shard 2"}},
		{"one after the end", []shardmap.Shard{rangeShard(1, "", ""), rangeShard(2, "b", "")}, "SHARDS_OVERLAP", []string{"shard 1", "shard 2"}},
		{"one id twice", []shardmap.Shard{rangeShard(1, "", "b"), rangeShard(1, "b", "")}, "SHARD_TWICE", []string{"shard 1"}},
		{"bounds in the wrong order", []shardmap.Shard{rangeShard(1, "c", "b")}, "SHARD_BOUNDS", []string{"shard 1 [c, b)"}},
		{"an empty range", []shardmap.Shard{rangeShard(1, "b", "b")}, "SHARD_BOUNDS", []string{"shard 1 [b, b)"}},
		{"a bound that is no key", []shardmap.Shard{rangeShard(1, "", strings.Repeat("x", 1025))}, "SHARD_BOUNDS", nil},
		{"no owner", with(func(s *shardmap.Shard) { s.Cluster = 0 }), "SHARD_WITHOUT_OWNER", nil},
		{"no epoch", with(func(s *shardmap.Shard) { s.Epoch = 0 }), "SHARD_REVISION", nil},
		{"an epoch after its revision", with(func(s *shardmap.Shard) { s.Epoch = 6 }), "SHARD_REVISION", nil},
		{"a revision after the map's", with(func(s *shardmap.Shard) { s.Revision = 6 }), "SHARD_REVISION", nil},
		{"no keyspace", with(func(s *shardmap.Shard) { s.Keyspace = 7 }), "SHARD_WITHOUT_KEYSPACE", []string{"0000000000000007"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := build(rangeCatalog(t), test.shards...)
			if cairn.KindOf(err) != cairn.KindCorrupt || cairn.ReasonOf(err) != test.reason {
				t.Fatalf("%v; want %s", err, test.reason)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	at := func(revision uint64, s shardmap.Shard) shardmap.Shard {
		s.Epoch, s.Revision = revision, revision
		return s
	}
	remove := func(ids ...cairn.ShardID) (refs []shardmap.ShardRef) {
		for _, id := range ids {
			refs = append(refs, shardmap.ShardRef{Keyspace: ranged, ID: id})
		}
		return refs
	}
	for _, test := range []struct {
		name   string
		update shardmap.Update
		reason string
	}{
		{"an older revision", shardmap.Update{Revision: 4}, "MAP_REVISION"},
		{"an older shard", shardmap.Update{Revision: 6, Set: []shardmap.Shard{at(4, rangeShard(1, "", "b"))}}, "SHARD_REVISION_STALE"},
		{"a hole by removal", shardmap.Update{Revision: 6, Remove: remove(2)}, "SHARDS_HOLE"},
		{"everything removed", shardmap.Update{Revision: 6, Remove: remove(1, 2, 3)}, "SHARDS_HOLE"},
		{"a hole by shrinking", shardmap.Update{Revision: 6, Set: []shardmap.Shard{at(6, rangeShard(1, "", "a"))}}, "SHARDS_HOLE"},
		{"an overlap by growing", shardmap.Update{Revision: 6, Set: []shardmap.Shard{at(6, rangeShard(1, "", "bb"))}}, "SHARDS_OVERLAP"},
		{"an overlap by a new one", shardmap.Update{Revision: 6, Set: []shardmap.Shard{at(6, rangeShard(9, "a", "b"))}}, "SHARDS_OVERLAP"},
		{"half a split", shardmap.Update{Revision: 6, Set: []shardmap.Shard{at(6, rangeShard(9, "bb", "c"))}}, "SHARDS_OVERLAP"},
		{"set twice", shardmap.Update{Revision: 6, Set: []shardmap.Shard{at(6, rangeShard(1, "", "b")), at(6, rangeShard(1, "", "b"))}}, "SHARD_TWICE"},
		{"set and removed", shardmap.Update{Revision: 6, Set: []shardmap.Shard{at(6, rangeShard(1, "", "b"))}, Remove: remove(1)}, "SHARD_TWICE"},
		{"a record from the future", shardmap.Update{Revision: 6, Set: []shardmap.Shard{at(7, rangeShard(1, "", "b"))}}, "SHARD_REVISION"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := build(rangeCatalog(t), rangeShard(1, "", "b"), rangeShard(2, "b", "c"), rangeShard(3, "c", ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Apply(test.update)
			if got != nil || cairn.ReasonOf(err) != test.reason {
				t.Fatalf("%v; want %s", err, test.reason)
			}
			if s, _ := m.Lookup(ranged, []byte("bz")); s.ID != 2 || m.Count(ranged) != 3 || m.Revision() != 5 {
				t.Fatalf("the old map changed: %v", s)
			}
		})
	}
}

func TestPlannersRefuse(t *testing.T) {
	second := rangeShard(2, "b", "d")
	second.Cluster++
	m, err := build(rangeCatalog(t), rangeShard(1, "", "b"), second, rangeShard(3, "d", ""))
	if err != nil {
		t.Fatal(err)
	}
	split := func(keyspace cairn.UID, id cairn.ShardID, at string) error {
		_, err := shardmap.Split(m, keyspace, id, []byte(at))
		return err
	}
	merge := func(keyspace cairn.UID, id cairn.ShardID) error {
		_, err := shardmap.Merge(m, keyspace, id)
		return err
	}
	for _, test := range []struct {
		name   string
		err    error
		kind   cairn.Kind
		reason string
		says   string
	}{
		{"split in an unknown keyspace", split(9, 1, "a"), cairn.KindNotFound, "KEYSPACE_NOT_FOUND", "0000000000000009"},
		{"split of an unknown shard", split(ranged, 9, "a"), cairn.KindNotFound, "SHARD_NOT_FOUND", "range-34 has no shard 9"},
		{"split before the shard", split(ranged, 2, "a"), cairn.KindInvalid, "SPLIT_OUTSIDE", "at: a is not in shard 2 [b, d)"},
		{"split at the shard's end", split(ranged, 2, "d"), cairn.KindInvalid, "SPLIT_OUTSIDE", "at: d is not in"},
		{"split at the start", split(ranged, 2, "b"), cairn.KindInvalid, "SPLIT_AT_START", "at: shard 2 begins at b"},
		{"split at nothing", split(ranged, 1, ""), cairn.KindInvalid, "KEY_EMPTY", ""},
		{"split at too long a key", split(ranged, 1, strings.Repeat("a", 1025)), cairn.KindInvalid, "KEY_TOO_LONG", ""},
		{"merge in an unknown keyspace", merge(9, 1), cairn.KindNotFound, "KEYSPACE_NOT_FOUND", ""},
		{"merge of an unknown shard", merge(ranged, 9), cairn.KindNotFound, "SHARD_NOT_FOUND", ""},
		{"merge of two clusters' shards", merge(ranged, 1), cairn.KindPrecondition, "SHARD_CLUSTERS_DIFFER", "cluster cluster-0 and shard 2 after it of cluster cluster-1"},
		{"merge of the last shard", merge(ranged, 3), cairn.KindPrecondition, "SHARD_LAST", "shard 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if cairn.KindOf(test.err) != test.kind || cairn.ReasonOf(test.err) != test.reason || !strings.Contains(test.err.Error(), test.says) {
				t.Fatalf("%v; want %s, %s, saying %q", test.err, test.kind, test.reason, test.says)
			}
			if test.kind == cairn.KindInvalid && !strings.HasPrefix(test.err.Error(), "at: ") {
				t.Fatalf("%v does not name the field", test.err)
			}
		})
	}
}
