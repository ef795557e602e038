package etcdstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

func TestIndexIsFoundedOnce(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t), Journal: filepath.Join(t.TempDir(), "map.journal")})
	north := addCluster(t, s, "north")
	for _, replica := range []string{"first", "second", "first"} {
		founder, err := s.FoundIndex(bounded(t), north.UID, replica)
		if err != nil || founder.Replica != "first" || founder.Generation != 0 {
			t.Errorf("%s asks: founded by %+v, %v", replica, founder, err)
		}
	}
	if _, err := s.Sweep(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if founder, err := s.FoundIndex(bounded(t), north.UID, "third"); err != nil || founder.Replica != "first" || founder.Generation != 0 {
		t.Errorf("after a sweep: %+v, %v", founder, err)
	}

	commit(t, s, shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: "north", Expected: north.Revision, Delete: true}}})
	if _, err := s.Sweep(bounded(t)); err != nil {
		t.Fatal(err)
	}
	left, err := server.Client(t).Get(bounded(t), etcdstore.DefaultPrefix+"founders/"+north.UID.String())
	if err != nil || len(left.Kvs) != 0 {
		t.Errorf("the record of a cluster that is no more: %v, %v", left, err)
	}
}

// TestIndexIsRestoredByOne has restored directories claim an index's place.
func TestIndexIsRestoredByOne(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	north := addCluster(t, s, "north")
	none, err := s.FoundingOf(bounded(t), north.UID)
	if err != nil || none != (etcdstore.Founding{}) {
		t.Fatalf("before there is one: %+v, %v", none, err)
	}
	first, err := s.FoundIndex(bounded(t), north.UID, "first")
	if err != nil {
		t.Fatal(err)
	}
	restored, err := s.RestoreIndex(bounded(t), north.UID, first, "second", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, before := range []etcdstore.Founding{none, first} {
		if _, err := s.RestoreIndex(bounded(t), north.UID, before, "third", 1); cairn.ReasonOf(err) != "INDEX_RESTORED" {
			t.Errorf("another that saw %+v: %v", before, err)
		}
	}
	if got, err := s.FoundingOf(bounded(t), north.UID); err != nil || got != restored || got.Replica != "second" || got.Generation != 1 {
		t.Errorf("%+v, %v; want %+v", got, err, restored)
	}
	if got, err := s.FoundIndex(bounded(t), north.UID, "first"); err != nil || got != restored {
		t.Errorf("to the first founder: %+v, %v", got, err)
	}
}

// TestFoundingsComeWithTheMap: who has a map that is of after a founding, or a restore,
// has that as well, and asks etcd for nothing.
func TestFoundingsComeWithTheMap(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	watching := open(t, etcdstore.Config{Client: server.Client(t)})
	north := addCluster(t, s, "north")
	over, cancel := context.WithCancel(bounded(t))
	cancel()
	if _, err := watching.FoundingOf(over, north.UID); err == nil {
		t.Fatal("a context that is over lets etcd be asked")
	}
	seen := func(by *etcdstore.Store, want etcdstore.Founding, cluster string) {
		t.Helper()
		if cluster != "" {
			addCluster(t, s, cluster)
		}
		if _, err := by.Wait(bounded(t), s.Map().Revision()); err != nil {
			t.Fatal(err)
		}
		if got, err := by.FoundingSeen(over, north.UID); err != nil || got != want {
			t.Errorf("seen is %+v, %v; want %+v", got, err, want)
		}
	}
	seen(watching, etcdstore.Founding{}, "")
	first, err := s.FoundIndex(bounded(t), north.UID, "first")
	if err != nil {
		t.Fatal(err)
	}
	seen(watching, first, "south")
	restored, err := s.RestoreIndex(bounded(t), north.UID, first, "second", 1)
	if err != nil {
		t.Fatal(err)
	}
	seen(watching, restored, "west")
	seen(open(t, etcdstore.Config{Client: server.Client(t)}), restored, "")
	if _, err := server.Client(t).Delete(bounded(t), etcdstore.DefaultPrefix+"founders/"+north.UID.String()); err != nil {
		t.Fatal(err)
	}
	seen(watching, etcdstore.Founding{}, "east")
}

// TestForeignKeysAreLeftAlone has keys under the prefix that are not the
// map's, of another version maybe: the Store goes on, and so does its journal.
func TestForeignKeysAreLeftAlone(t *testing.T) {
	server := etcdtest.Start(t)
	path := filepath.Join(t.TempDir(), "map.journal")
	failed := make(chan error, 10)
	s := open(t, etcdstore.Config{Client: server.Client(t), Journal: path, Events: etcdstore.Events{
		Refused: func(err error) { failed <- err }, JournalFailed: func(err error) { failed <- err },
	}})
	addCluster(t, s, "north")
	client := server.Client(t)
	if _, err := client.Put(bounded(t), etcdstore.DefaultPrefix+"something", "not JSON"); err != nil {
		t.Fatal(err)
	}
	addCluster(t, s, "south")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	again := open(t, etcdstore.Config{Client: client, Journal: path, StartWait: 100 * time.Millisecond})
	if _, found := again.Map().Catalog().ClusterByName("south"); !found {
		t.Error("the journal lacks what came after")
	}
	select {
	case err := <-failed:
		t.Error(cairn.KindOf(err), err)
	default:
	}
}
