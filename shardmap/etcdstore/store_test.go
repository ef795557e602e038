package etcdstore_test

import (
	"context"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of the embedded etcd and its client, which do not wait for them.
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
	)
}

// open opens a Store that ends with the test.
func open(t testing.TB, config etcdstore.Config) *etcdstore.Store {
	t.Helper()
	if config.ProveEvery == 0 {
		config.ProveEvery = 50 * time.Millisecond
	}
	s, err := etcdstore.Open(bounded(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// addCluster declares a cluster of one node.
func addCluster(t testing.TB, s *etcdstore.Store, name string) *catalog.Cluster {
	t.Helper()
	cluster := &catalog.Cluster{
		UID: cairn.NewUID(), Name: name, Weight: 1, NextNode: 2,
		Nodes: []cairn.Node{{ID: 1, Name: "a", Address: "a:1", Weight: 1, State: cairn.NodeActive}},
	}
	commit(t, s, shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: name, Put: cluster}}})
	cluster, found := s.Map().Catalog().ClusterByName(name)
	if !found {
		t.Fatalf("no cluster %s", name)
	}
	return cluster
}

// newKeyspace is a change that creates a hash keyspace.
func newKeyspace(t testing.TB, s *etcdstore.Store, name string, shards int) shardmap.Change {
	t.Helper()
	change, err := shardmap.Create(catalog.NewKeyspace{
		Keyspace: &catalog.Keyspace{
			Keyspace: cairn.Keyspace{
				UID: cairn.NewUID(), Name: name, Placement: cairn.Placement{Scheme: cairn.SchemeHash}, Replicas: 1, Schema: &cairn.Schema{},
			},
			NextAttribute: 1,
		},
		InitialShards: shards,
	}, s.Map().Catalog().Clusters())
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// commit makes a change and waits until it is published.
func commit(t testing.TB, s *etcdstore.Store, change shardmap.Change) *shardmap.Map {
	t.Helper()
	revision, err := s.Commit(bounded(t), change)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Wait(bounded(t), revision)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func keyspace(t testing.TB, m *shardmap.Map, name string) *catalog.Keyspace {
	t.Helper()
	k, found := m.Catalog().KeyspaceByName(name)
	if !found {
		t.Fatalf("no keyspace %s", name)
	}
	return k
}

// sameMap compares what two Maps say, shard by shard.
func sameMap(t testing.TB, got, want *shardmap.Map) {
	t.Helper()
	if len(got.Catalog().Keyspaces()) != len(want.Catalog().Keyspaces()) {
		t.Fatalf("%d keyspaces, want %d", len(got.Catalog().Keyspaces()), len(want.Catalog().Keyspaces()))
	}
	for _, k := range want.Catalog().Keyspaces() {
		if n := got.Count(k.UID); n != want.Count(k.UID) {
			t.Fatalf("keyspace %s has %d shards, want %d", k.Name, n, want.Count(k.UID))
		}
		for w := range want.Shards(k.UID) {
			g, found := got.Shard(k.UID, w.ID)
			if !found || g.String() != w.String() || g.Revision != w.Revision {
				t.Fatalf("shard %v (revision %d), want %v (revision %d)", g, g.Revision, w, w.Revision)
			}
		}
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for range 1_500 {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("never: " + what)
}

func TestCommitIsSeenByOthers(t *testing.T) {
	server := etcdtest.Start(t)
	one, two := open(t, etcdstore.Config{Client: server.Client(t)}), open(t, etcdstore.Config{Client: server.Client(t)})
	changed, cancel := two.Subscribe()
	defer cancel()
	cluster := addCluster(t, one, "north")
	m := commit(t, one, newKeyspace(t, one, "runways", 16))
	other, err := two.Wait(bounded(t), m.Revision())
	if err != nil {
		t.Fatal(err)
	}
	sameMap(t, other, m)
	select {
	case <-changed:
	default:
		t.Error("the subscriber heard nothing")
	}
	k := keyspace(t, m, "runways")
	if k.Revision != m.Revision() || k.ModRevision != m.Revision() {
		t.Errorf("revision %d and %d, want %d", k.Revision, k.ModRevision, m.Revision())
	}
	if cluster.Revision >= m.Revision() {
		t.Error("the cluster is as new as the keyspace")
	}

	var shard shardmap.Shard
	for shard = range m.Shards(k.UID) {
		break
	}
	at := append([]byte{}, shard.End...)
	at[0]-- // the shard ends at 0x10...
	change, err := shardmap.Split(m, k.UID, shard.ID, at)
	if err != nil {
		t.Fatal(err)
	}
	split := commit(t, one, change)
	after := keyspace(t, split, "runways")
	if after.Revision != k.Revision {
		t.Errorf("a split changed the declaration's revision from %d to %d", k.Revision, after.Revision)
	}
	if left, _ := split.Shard(k.UID, shard.ID); left.Epoch != split.Revision() {
		t.Errorf("epoch %d after a split at revision %d", left.Epoch, split.Revision())
	}
	// The same change again has lost, and so has another Store's.
	for _, s := range []*etcdstore.Store{one, two} {
		if _, err := s.Commit(bounded(t), change); cairn.KindOf(err) != cairn.KindConflict {
			t.Errorf("a change decided on an old map: %v", err)
		}
	}
}

func TestManyShardsBecomeLiveAtOnce(t *testing.T) {
	server := etcdtest.Start(t)
	one, two := open(t, etcdstore.Config{Client: server.Client(t)}), open(t, etcdstore.Config{Client: server.Client(t)})
	addCluster(t, one, "north")
	change := newKeyspace(t, one, "many", 3_000)
	change.Clusters = append(change.Clusters, shardmap.ClusterChange{Name: "south", Put: &catalog.Cluster{
		UID: cairn.NewUID(), Name: "south", NextNode: 2, Nodes: []cairn.Node{{ID: 1, Name: "a", Address: "a:2", State: cairn.NodeActive}},
	}})
	seen := make(chan error, 1)
	changed, cancel := two.Subscribe()
	defer cancel()
	go func() {
		for range changed {
			m := two.Map()
			if k, found := m.Catalog().KeyspaceByName("many"); found {
				if _, with := m.Catalog().ClusterByName("south"); !with || m.Count(k.UID) != 3_000 {
					seen <- cairn.Errorf(cairn.KindInternal, "PARTIAL", "%d shards, cluster %t", m.Count(k.UID), with)
				}
				seen <- nil
				return
			}
		}
	}()
	m := commit(t, one, change)
	if err := <-seen; err != nil {
		t.Error(err)
	}
	left, err := server.Client(t).Get(bounded(t), etcdstore.DefaultPrefix+"creating/", clientv3.WithPrefix())
	if err != nil || len(left.Kvs) != 0 {
		t.Errorf("marks left behind: %v, %v", left, err)
	}
	// A Store that loads sees what one that followed sees.
	sameMap(t, open(t, etcdstore.Config{Client: server.Client(t)}).Map(), m)
	if n, err := two.Sweep(bounded(t)); n != 0 || err != nil {
		t.Errorf("swept %d shards of a live keyspace: %v", n, err)
	}
}

func TestManyRecordsInOneCommit(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	var change shardmap.Change
	for i := range 500 {
		name := "c" + cairn.ShardID(i).String()
		change.Clusters = append(change.Clusters, shardmap.ClusterChange{Name: name, Put: &catalog.Cluster{
			UID: cairn.NewUID(), Name: name, NextNode: 2, Nodes: []cairn.Node{{ID: 1, Name: "a", Address: "a:1", State: cairn.NodeActive}},
		}})
	}
	m := commit(t, s, change)
	if n := len(m.Catalog().Clusters()); n != 500 {
		t.Fatalf("%d clusters", n)
	}
	if _, err := s.Commit(bounded(t), change); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("the same creations again: %v", err)
	}
	// Decided on this map, they lose to a deletion that it does not show.
	for i := range change.Clusters {
		c, _ := m.Catalog().ClusterByName(change.Clusters[i].Name)
		change.Clusters[i].Expected, change.Clusters[i].Put = c.Revision, c
	}
	behind := open(t, etcdstore.Config{Client: server.Client(t)})
	if _, err := behind.Wait(bounded(t), m.Revision()); err != nil {
		t.Fatal(err)
	}
	gone := change.Clusters[0]
	commit(t, s, shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: gone.Name, Expected: gone.Expected, Delete: true}}})
	if _, err := behind.Commit(bounded(t), change); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("over a deleted cluster: %v", err)
	}
}

func TestLeftoversAreSwept(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	addCluster(t, s, "north")
	m := commit(t, s, newKeyspace(t, s, "short-lived", 300))
	k := keyspace(t, m, "short-lived")
	m = commit(t, s, shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Delete: true}}})
	if _, found := m.Catalog().KeyspaceByUID(k.UID); found || m.Count(k.UID) != 0 {
		t.Fatal("the keyspace is still there")
	}
	// One that loads finds the leftovers too.
	late := open(t, etcdstore.Config{Client: server.Client(t)})
	if n, err := late.Sweep(bounded(t)); n != 300 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	if n, err := s.Sweep(bounded(t)); n != 0 || err != nil {
		t.Fatalf("swept %d again, %v", n, err)
	}
}

func TestSweepSparesWhatIsBeingCreated(t *testing.T) {
	server := etcdtest.Start(t)
	creator, sweeper := open(t, etcdstore.Config{Client: server.Client(t)}), open(t, etcdstore.Config{Client: server.Client(t)})
	addCluster(t, creator, "north")
	done := make(chan struct{})
	swept := make(chan error, 1)
	go func() {
		for {
			if _, err := sweeper.Sweep(bounded(t)); err != nil {
				swept <- err
				return
			}
			select {
			case <-done:
				swept <- nil
				return
			default:
			}
		}
	}()
	m := commit(t, creator, newKeyspace(t, creator, "many", 5_000))
	close(done)
	if err := <-swept; err != nil {
		t.Fatal(err)
	}
	sameMap(t, open(t, etcdstore.Config{Client: server.Client(t)}).Map(), m)
}
