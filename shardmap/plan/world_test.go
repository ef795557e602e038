package plan_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/plan"
)

// The keyspaces of the tests, and their clusters: firstCluster, firstCluster+1...
const (
	hashed       cairn.UID = 0x11
	ranged       cairn.UID = 0x22
	firstCluster cairn.UID = 0x1000
)

// now is when the tests plan.
var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// scene is a Map in the making, and what is known of its shards.
type scene struct {
	t         testing.TB
	clusters  []*catalog.Cluster
	keyspaces []*catalog.Keyspace
	shards    []shardmap.Shard
	loads     map[shardmap.ShardRef]plan.Load
}

// newScene has clusters c0, c1, ... of these weights, with two nodes each.
func newScene(t testing.TB, weights ...uint32) *scene {
	s := &scene{t: t, loads: map[shardmap.ShardRef]plan.Load{}}
	for i, weight := range weights {
		s.clusters = append(s.clusters, &catalog.Cluster{
			UID: firstCluster + cairn.UID(i), Name: fmt.Sprintf("c%d", i), Weight: weight, NextNode: 3, Revision: uint64(i) + 1,
			Nodes: []cairn.Node{
				{ID: 1, Name: "a", Address: "a:1", Weight: 1, State: cairn.NodeActive},
				{ID: 2, Name: "b", Address: "b:1", Weight: 1, State: cairn.NodeActive},
			},
		})
	}
	return s
}

// keyspace adds a keyspace with a shard for each owner, a number of a cluster,
// and so many entries in each, with one read a second an entry.
func (s *scene) keyspace(uid cairn.UID, owners, entries []int) *scene {
	s.t.Helper()
	scheme := cairn.SchemeHash
	if uid == ranged {
		scheme = cairn.SchemeRange
	}
	schema, err := cairn.NewSchema(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.keyspaces = append(s.keyspaces, &catalog.Keyspace{
		Keyspace: cairn.Keyspace{UID: uid, Name: scheme.String(), Placement: cairn.Placement{Scheme: scheme}, Replicas: 1, Schema: schema},
		Revision: 5, ModRevision: 5, Generation: 1, NextShard: cairn.ShardID(len(owners) + 1), NextAttribute: 1,
	})
	for i, owner := range owners {
		shard := shardmap.Shard{
			Shard:   cairn.Shard{Keyspace: uid, ID: cairn.ShardID(i + 1), Epoch: 10, Start: bound(uid, i, len(owners))},
			Cluster: firstCluster + cairn.UID(owner), Revision: uint64(10 + i%5),
		}
		if i+1 < len(owners) {
			shard.End = bound(uid, i+1, len(owners))
		}
		s.shards = append(s.shards, shard)
		s.loads[shardmap.ShardRef{Keyspace: uid, ID: shard.ID}] = plan.Load{Entries: uint64(entries[i]), Reads: float64(entries[i])}
	}
	return s
}

// bound is where the i-th of n even shards begins.
func bound(keyspace cairn.UID, i, n int) []byte {
	switch {
	case i == 0:
		return nil
	case keyspace == ranged:
		return fmt.Appendf(nil, "key-%06d", i*10)
	}
	return binary.BigEndian.AppendUint64(nil, uint64(i)*(1<<63/uint64(n)*2))
}

// shard is the shard of a keyspace and id, to be changed.
func (s *scene) shard(keyspace cairn.UID, id cairn.ShardID) *shardmap.Shard {
	for i := range s.shards {
		if s.shards[i].Keyspace == keyspace && s.shards[i].ID == id {
			return &s.shards[i]
		}
	}
	s.t.Fatalf("there is no shard %s of keyspace %s", id, keyspace)
	return nil
}

// input is the scene as Make takes it.
func (s *scene) input() plan.Input {
	s.t.Helper()
	c, err := catalog.New(s.keyspaces, s.clusters, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	var b shardmap.Builder
	for _, shard := range s.shards {
		b.Add(shard)
	}
	m, err := b.Build(100, c)
	if err != nil {
		s.t.Fatal(err)
	}
	return plan.Input{Map: m, Loads: s.loads, Now: now}
}

// mustMake plans.
func mustMake(t testing.TB, in plan.Input) *plan.Plan {
	t.Helper()
	p, err := plan.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// times is n times the same number.
func times(n, number int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = number
	}
	return out
}
