package etcdstore_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

// declare is the change that a new view makes.
func declare(m *shardmap.Map, keyspace *catalog.Keyspace, names ...string) shardmap.Change {
	var views []*catalog.View
	for _, name := range names {
		views = append(views, &catalog.View{
			UID: cairn.NewUID(), Name: name, Keyspace: keyspace.UID, Building: &catalog.ViewVersion{Number: 1}, NextVersion: 2,
		})
	}
	return shardmap.DeclareViews(m, views, map[string]bool{})
}

func view(t testing.TB, m *shardmap.Map, name string) *catalog.View {
	t.Helper()
	v, found := m.Catalog().ViewByName(name)
	if !found {
		t.Fatalf("no view %s", name)
	}
	return v
}

// TestViewsAreCommitted declares, flips and deletes a view with one Store, and
// watches with another.
func TestViewsAreCommitted(t *testing.T) {
	server := etcdtest.Start(t)
	one, two := open(t, etcdstore.Config{Client: server.Client(t)}), open(t, etcdstore.Config{Client: server.Client(t)})
	addCluster(t, one, "north")
	before := commit(t, one, newKeyspace(t, one, "runways", 4))
	k := keyspace(t, before, "runways")
	declared := declare(before, k, "long")
	m := commit(t, one, declared)
	v := view(t, m, "long")
	if v.Revision != m.Revision() || v.Serving != nil || v.Building.Number != 1 {
		t.Errorf("declared: %+v", v)
	}
	if after := keyspace(t, m, "runways"); after.Revision != k.Revision || after.ModRevision != m.Revision() {
		t.Errorf("the keyspace is of revision %d and %d; want %d and %d", after.Revision, after.ModRevision, k.Revision, m.Revision())
	}
	seen := func(revision uint64) *shardmap.Map {
		t.Helper()
		m, err := two.Wait(bounded(t), revision)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	other := seen(m.Revision())
	if got := view(t, other, "long"); string(catalog.EncodeView(got)) != string(catalog.EncodeView(v)) || got.Revision != v.Revision {
		t.Errorf("another sees %+v", got)
	}
	// What was decided without the view loses: its declaration again, and a
	// change of the keyspace's schema.
	unaware := shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Put: k}}}
	for _, change := range []shardmap.Change{declared, unaware} {
		if _, err := two.Commit(bounded(t), change); cairn.KindOf(err) != cairn.KindConflict {
			t.Errorf("decided on an old map: %v", err)
		}
	}

	flip, err := shardmap.Flip(other, v.UID, 1)
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, two, flip)
	if v = view(t, m, "long"); v.Building != nil || v.Serving == nil || v.Serving.Number != 1 || v.Revision != m.Revision() {
		t.Errorf("flipped: %+v", v)
	}
	if _, err := one.Commit(bounded(t), flip); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("flipped twice: %v", err)
	}
	if _, err := shardmap.Flip(m, v.UID, 1); cairn.ReasonOf(err) != "VIEW_VERSION_CHANGED" {
		t.Errorf("nothing to flip: %v", err)
	}
	if _, err := shardmap.Flip(m, 1, 1); cairn.ReasonOf(err) != "VIEW_NOT_FOUND" {
		t.Errorf("no view: %v", err)
	}
	third := open(t, etcdstore.Config{Client: server.Client(t)})
	if got := view(t, third.Map(), "long"); got.Serving == nil || got.Revision != v.Revision {
		t.Errorf("loaded: %+v", got)
	}

	m = commit(t, one, shardmap.Change{Views: []shardmap.ViewChange{{Name: "long", Expected: v.Revision, Delete: true}}})
	if _, found := seen(m.Revision()).Catalog().ViewByName("long"); found {
		t.Error("deleted, but still there")
	}
}

// TestManyViewsInOneCommit has more of them than etcd takes operations.
func TestManyViewsInOneCommit(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	addCluster(t, s, "north")
	m := commit(t, s, newKeyspace(t, s, "runways", 4))
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("v%03d", i))
	}
	change := declare(m, keyspace(t, m, "runways"), names...)
	m = commit(t, s, change)
	if n := len(m.Catalog().Views()); n != 300 {
		t.Fatalf("%d views", n)
	}
	if _, err := s.Commit(bounded(t), change); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("the same declarations again: %v", err)
	}
	for i := range change.Views {
		v := view(t, m, change.Views[i].Name)
		change.Views[i].Expected, change.Views[i].Put = v.Revision, v
	}
	change.Keyspaces = nil
	behind := open(t, etcdstore.Config{Client: server.Client(t)})
	flip, err := shardmap.Flip(m, change.Views[7].Put.UID, 1)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, flip)
	if _, err := behind.Commit(bounded(t), change); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("over a flip: %v", err)
	}
}

func TestViewsStartFromJournal(t *testing.T) {
	server := etcdtest.Start(t)
	path := filepath.Join(t.TempDir(), "map.journal")
	s, err := etcdstore.Open(bounded(t), etcdstore.Config{Client: server.Client(t), Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	addCluster(t, s, "north")
	m := commit(t, s, newKeyspace(t, s, "runways", 4))
	m = commit(t, s, declare(m, keyspace(t, m, "runways"), "long"))
	want := view(t, m, "long")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	proxy := newProxy(t, server.Endpoint())
	proxy.setCut(true)
	again := open(t, etcdstore.Config{Client: proxy.client(t), Journal: path, StartWait: 100 * time.Millisecond})
	if got := view(t, again.Map(), "long"); got.Revision != want.Revision || got.Building == nil {
		t.Errorf("from the journal: %+v, want %+v", got, want)
	}
}
