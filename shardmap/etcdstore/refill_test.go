package etcdstore_test

import (
	"testing"

	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

// TestRefill makes room for a map: what was there goes as a whole, in the eyes of who
// watches too, and etcd's revision rises above what it was to.
func TestRefill(t *testing.T) {
	server := etcdtest.Start(t)
	client := server.Client(t)
	s := open(t, etcdstore.Config{Client: client})
	addCluster(t, s, "north")
	commit(t, s, newKeyspace(t, s, "things", 3))
	north, _ := s.Map().Catalog().ClusterByName("north")
	if err := s.SetFounding(bounded(t), north.UID, etcdstore.Founding{Replica: "one", Generation: 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetFounding(bounded(t), north.UID, etcdstore.Founding{Replica: "two"}); err != nil {
		t.Fatal(err)
	}
	if founding, err := s.FoundingOf(bounded(t), north.UID); err != nil || founding.Replica != "one" || founding.Generation != 2 {
		t.Errorf("%+v, %v", founding, err)
	}
	before, err := etcdstore.Stand(bounded(t), client, etcdstore.DefaultPrefix)
	if err != nil || before.Records != 6 || before.Revision < s.Map().Revision() {
		t.Errorf("%+v, %v", before, err)
	}
	if err := etcdstore.Clear(bounded(t), client, etcdstore.DefaultPrefix); err != nil {
		t.Fatal(err)
	}
	m, err := s.Refresh(bounded(t))
	if err != nil || len(m.Catalog().Clusters())+len(m.Catalog().Keyspaces()) > 0 {
		t.Errorf("%v, %v", m.Catalog(), err)
	}
	const above = 5_000
	if err := etcdstore.Raise(bounded(t), client, etcdstore.DefaultPrefix, above, func(uint64) {}); err != nil {
		t.Fatal(err)
	}
	if left, err := client.Get(bounded(t), etcdstore.DefaultPrefix+"raised"); err != nil || left.Count != 0 {
		t.Errorf("what was written to raise the revision is left: %v", err)
	}
	after, err := etcdstore.Stand(bounded(t), client, etcdstore.DefaultPrefix)
	if err != nil || after.Records != 0 || after.Revision < above {
		t.Errorf("%+v, %v", after, err)
	}
	if founding, err := s.FoundingOf(bounded(t), north.UID); err != nil || founding.Replica != "" {
		t.Errorf("%+v, %v", founding, err)
	}
	if m, err := s.Refresh(bounded(t)); err != nil || m.Revision() <= above {
		t.Errorf("the map is at %d, %v", m.Revision(), err)
	}
}

// BenchmarkRaise is what a revision costs.
func BenchmarkRaise(b *testing.B) {
	server := etcdtest.Start(b)
	client := server.Client(b)
	b.ResetTimer()
	if err := etcdstore.Raise(b.Context(), client, etcdstore.DefaultPrefix, uint64(b.N), func(uint64) {}); err != nil {
		b.Fatal(err)
	}
}
