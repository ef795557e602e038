package shardmap_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is what a Map should be: the shards of one keyspace in a sorted slice.
type model struct {
	keyspace cairn.UID
	shards   []shardmap.Shard
	next     cairn.ShardID
}

func (m *model) clone() *model {
	return &model{m.keyspace, slices.Clone(m.shards), m.next}
}

func (m *model) lookup(key []byte) shardmap.Shard {
	for _, s := range m.shards {
		if s.Contains(key) {
			return s
		}
	}
	panic("a hole")
}

func (m *model) split(i int, at []byte, revision uint64) {
	left, right := m.shards[i], m.shards[i]
	left.End, right.Start = at, at
	right.ID = m.next
	m.next++
	left.Epoch, left.Revision, right.Epoch, right.Revision = revision, revision, revision, revision
	m.shards[i] = left
	m.shards = slices.Insert(m.shards, i+1, right)
}

func (m *model) merge(i int, revision uint64) {
	m.shards[i].End = m.shards[i+1].End
	m.shards[i].Pinned = m.shards[i].Pinned || m.shards[i+1].Pinned
	m.shards[i].Epoch, m.shards[i].Revision = revision, revision
	m.shards = slices.Delete(m.shards, i+1, i+2)
}

func (m *model) owners() []shardmap.Owner {
	var out []shardmap.Owner
	for _, s := range m.shards {
		i, found := slices.BinarySearchFunc(out, s.Cluster, func(o shardmap.Owner, uid cairn.UID) int { return cmp.Compare(o.Cluster, uid) })
		if !found {
			out = slices.Insert(out, i, shardmap.Owner{Cluster: s.Cluster})
		}
		out[i].Shards++
		out[i].Fingerprint = out[i].Fingerprint.Add(s.ID, s.Epoch)
		out[i].MaxEpoch = max(out[i].MaxEpoch, s.Epoch)
	}
	return out
}

// check compares a Map with the model, in every way that it can be asked.
func (m *model) check(t *rapid.T, got *shardmap.Map, keys [][]byte) {
	all := slices.Collect(got.Shards(m.keyspace))
	if len(all) != len(m.shards) || got.Count(m.keyspace) != len(m.shards) {
		t.Fatalf("%d shards, counted as %d; want %d", len(all), got.Count(m.keyspace), len(m.shards))
	}
	for i, want := range m.shards {
		if !same(all[i], want) {
			t.Fatalf("shard number %d:\n got %+v\nwant %+v", i, all[i], want)
		}
		if byID, found := got.Shard(m.keyspace, want.ID); !found || !same(byID, want) {
			t.Fatalf("by id %s: %v %v", want.ID, byID, found)
		}
		if at, found := got.Lookup(m.keyspace, want.Start); !found || at.ID != want.ID {
			t.Fatalf("lookup of the start of %s: %v", want, at)
		}
	}
	if _, found := got.Shard(m.keyspace, m.next); found {
		t.Fatalf("there is a shard %d", m.next)
	}
	for _, key := range keys {
		at, _ := got.Lookup(m.keyspace, key)
		if want := m.lookup(key); !same(at, want) {
			t.Fatalf("lookup of %x:\n got %s\nwant %s", key, at, want)
		}
		for page := range got.ShardsFrom(m.keyspace, key) {
			if !same(page, at) {
				t.Fatalf("shards from %x begin with %s; want %s", key, page, at)
			}
			break
		}
	}
	m.checkOwners(t, got)
}

func (m *model) checkOwners(t *rapid.T, got *shardmap.Map) {
	owners, want := slices.Clone(got.Owners(m.keyspace)), m.owners()
	for i := range min(len(owners), len(want)) {
		single, found := got.Owner(m.keyspace, owners[i].Cluster)
		if !found || single != owners[i] {
			t.Fatalf("owner %s by itself: %v", owners[i].Cluster, single)
		}
		// It may know of shards that the cluster has lost.
		if owners[i].MaxEpoch < want[i].MaxEpoch || owners[i].MaxEpoch > got.Revision() {
			t.Fatalf("the epoch of %v; want at least that of %v", owners[i], want[i])
		}
		owners[i].MaxEpoch = want[i].MaxEpoch
	}
	if diff := gocmp.Diff(want, owners); diff != "" {
		t.Fatal("owners", diff)
	}
}

func same(a, b shardmap.Shard) bool {
	return a.ID == b.ID && a.Keyspace == b.Keyspace && bytes.Equal(a.Start, b.Start) && bytes.Equal(a.End, b.End) &&
		a.Epoch == b.Epoch && a.Cluster == b.Cluster && a.Pinned == b.Pinned && a.Revision == b.Revision
}

// anyKey draws a placement key, near a bound or anywhere.
func anyKey(t *rapid.T, m *model) []byte {
	near := m.shards[rapid.IntRange(0, len(m.shards)-1).Draw(t, "near")].Start
	if m.keyspace == hashed {
		if rapid.Bool().Draw(t, "anywhere") || len(near) == 0 {
			return binary.BigEndian.AppendUint64(nil, rapid.Uint64().Draw(t, "hash"))
		}
		return binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(near)+uint64(rapid.IntRange(-2, 2).Draw(t, "off")))
	}
	switch rapid.IntRange(0, 4).Draw(t, "key") {
	case 0:
		return rapid.SliceOfN(rapid.Byte(), 1, 24).Draw(t, "bytes")
	case 1:
		return fmt.Appendf(nil, "customers/%010d", rapid.IntRange(0, 5000).Draw(t, "number"))
	case 2: // sharing more than a prefix of 8 bytes with a bound
		longer := append(bytes.Clone(near), rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xff}), 1, 10).Draw(t, "more")...)
		return longer[:min(len(longer), cairn.MaxKeyLength)]
	case 3:
		if len(near) > 1 {
			return bytes.Clone(near[:rapid.IntRange(1, len(near)).Draw(t, "cut")])
		}
	}
	return bytes.Repeat([]byte{byte(rapid.IntRange(0, 2).Draw(t, "byte"))}, rapid.IntRange(1, cairn.MaxKeyLength).Draw(t, "length"))
}

// TestMapAgainstModel splits, merges, and changes owners and pins at random,
// several a revision too, and compares every Map with a plain sorted slice, the
// old ones once more at the end.
func TestMapAgainstModel(t *testing.T) {
	for _, keyspace := range []cairn.UID{hashed, ranged} {
		t.Run(keyspace.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { runModel(t, keyspace) })
		})
	}
}

func runModel(t *rapid.T, keyspace cairn.UID) {
	clusters := rapid.SampledFrom([]int{1, 3, 200}).Draw(t, "clusters")
	m, want := beginModel(t, keyspace, rapid.SampledFrom([]int{1, 2, 60, 700}).Draw(t, "shards"), clusters)
	type past struct {
		m    *shardmap.Map
		want *model
	}
	pasts := []past{{m, want.clone()}}
	for range rapid.IntRange(1, 40).Draw(t, "changes") {
		probe := anyKey(t, want)
		epochBefore := want.lookup(probe).Epoch
		m = step(t, m, want, clusters)
		keys := [][]byte{probe, anyKey(t, want), anyKey(t, want)}
		want.check(t, m, keys)
		if now, _ := m.Lookup(keyspace, probe); now.Epoch < epochBefore {
			t.Fatalf("the epoch of %x went from %d to %d", probe, epochBefore, now.Epoch)
		}
		pasts = append(pasts, past{m, want.clone()})
	}
	for _, p := range pasts {
		p.want.check(t, p.m, nil)
	}
	checkRebuilt(t, m, want)
}

func beginModel(t *rapid.T, keyspace cairn.UID, n, clusters int) (*shardmap.Map, *model) {
	scheme := cairn.SchemeHash
	if keyspace == ranged {
		scheme = cairn.SchemeRange
	}
	k := newKeyspace(keyspace, scheme)
	k.NextShard = cairn.ShardID(n + 1)
	c, err := catalog.New([]*catalog.Keyspace{k}, newClusters(clusters), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &model{keyspace, evenShards(keyspace, n, clusters, 10), k.NextShard}
	var b shardmap.Builder
	for _, s := range want.shards {
		b.Add(s)
	}
	m, err := b.Build(10, c)
	if err != nil {
		t.Fatal(err)
	}
	return m, want
}

// step changes both the Map and the model.
func step(t *rapid.T, m *shardmap.Map, want *model, clusters int) *shardmap.Map {
	revision := m.Revision() + uint64(rapid.IntRange(1, 3).Draw(t, "later"))
	i := rapid.IntRange(0, len(want.shards)-1).Draw(t, "shard")
	shard := want.shards[i]
	switch rapid.SampledFrom([]string{"split", "split", "merge", "merges", "several"}).Draw(t, "change") {
	case "split":
		at := anyKey(t, want)
		i = slices.IndexFunc(want.shards, func(s shardmap.Shard) bool { return s.Contains(at) })
		change, err := shardmap.Split(m, want.keyspace, want.shards[i].ID, at)
		if bytes.Equal(at, want.shards[i].Start) {
			if cairn.ReasonOf(err) != "SPLIT_AT_START" {
				t.Fatalf("a split at the start: %v", err)
			}
			return m
		}
		want.split(i, at, revision)
		return applied(t, m, revision, change, err)
	case "merge":
		change, err := shardmap.Merge(m, want.keyspace, shard.ID)
		switch {
		case i == len(want.shards)-1:
			if cairn.ReasonOf(err) != "SHARD_LAST" {
				t.Fatalf("a merge of the last: %v", err)
			}
			return m
		case shard.Cluster != want.shards[i+1].Cluster:
			if cairn.ReasonOf(err) != "SHARD_CLUSTERS_DIFFER" {
				t.Fatalf("a merge of two clusters' shards: %v", err)
			}
			return m
		}
		want.merge(i, revision)
		return applied(t, m, revision, change, err)
	case "merges": // a long run becomes one shard in one revision
		last := min(i+rapid.IntRange(1, 400).Draw(t, "run"), len(want.shards)-1)
		update := shardmap.Update{Revision: revision}
		for j := i; j < last; j++ {
			update.Remove = append(update.Remove, shardmap.ShardRef{Keyspace: want.keyspace, ID: want.shards[i+1].ID})
			want.merge(i, revision)
		}
		update.Set = []shardmap.Shard{want.shards[i]}
		if i == last {
			update.Set = nil
		}
		return updated(t, m, update)
	}
	update := shardmap.Update{Revision: revision}
	for range rapid.IntRange(1, 8).Draw(t, "owners") {
		s := &want.shards[(i*7+len(update.Set)*len(update.Set)*13)%len(want.shards)]
		if slices.ContainsFunc(update.Set, func(set shardmap.Shard) bool { return set.ID == s.ID }) {
			continue
		}
		s.Revision = revision
		if rapid.Bool().Draw(t, "pin") {
			s.Pinned = !s.Pinned
		} else {
			s.Cluster = clusterBase + cairn.UID(rapid.IntRange(0, clusters-1).Draw(t, "owner"))
			s.Epoch = revision
		}
		update.Set = append(update.Set, *s)
	}
	return updated(t, m, update)
}

func applied(t *rapid.T, m *shardmap.Map, revision uint64, change shardmap.Change, err error) *shardmap.Map {
	if err != nil {
		t.Fatal(err)
	}
	update, err := change.Update(revision, m.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	return updated(t, m, update)
}

func updated(t *rapid.T, m *shardmap.Map, update shardmap.Update) *shardmap.Map {
	next, err := m.Apply(update)
	if err != nil {
		t.Fatal(err)
	}
	if next.Revision() != update.Revision {
		t.Fatalf("revision %d; want %d", next.Revision(), update.Revision)
	}
	return next
}

// checkRebuilt loads a Map anew from its own shards, out of order.
func checkRebuilt(t *rapid.T, m *shardmap.Map, want *model) {
	var b shardmap.Builder
	for _, s := range rapid.Permutation(want.shards).Draw(t, "order") {
		b.Add(s)
	}
	again, err := b.Build(m.Revision(), m.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	want.check(t, again, nil)
	for _, o := range want.owners() {
		a := m.Assignment(o.Cluster)
		if diff := gocmp.Diff(again.Assignment(o.Cluster).Shards, a.Shards); diff != "" || len(a.Shards) != o.Shards || len(a.Keyspaces) != 1 || len(a.Nodes) != 1 {
			t.Fatalf("the assignment of %s has %d shards; want %d: %s", o.Cluster, len(a.Shards), o.Shards, diff)
		}
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	for _, keyspace := range []cairn.UID{hashed, ranged} {
		m := evenMap(t, keyspace, 10_000, 10)
		key := hashStart(1234, 10_000)
		if keyspace == ranged {
			key = rangeStart(1234)
		}
		if n := testing.AllocsPerRun(100, func() { m.Lookup(keyspace, key) }); n != 0 {
			t.Errorf("keyspace %s: %v allocations a lookup", keyspace, n)
		}
		if n := testing.AllocsPerRun(100, func() { m.Shard(keyspace, 77) }); n != 0 {
			t.Errorf("keyspace %s: %v allocations a lookup by id", keyspace, n)
		}
	}
}
