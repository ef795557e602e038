package replica

import (
	"os"
	"reflect"
	"testing"

	"cairn"
)

// TestReadKnownMap: a directory as a kill leaves it knows all that its log has noted
// after the checkpoint, and the replica goes on from it as if nobody had looked.
func TestReadKnownMap(t *testing.T) {
	config := configure(t.TempDir())
	r := open(t, config)
	if !r.checkpoint() {
		t.Fatal("no checkpoint")
	}
	later := assignment(t, 12)
	later.Views = []cairn.View{{UID: 0x31, Name: "all", Keyspace: keyspace, Version: 2, Filter: "n > 1", Sort: []cairn.SortField{{Attribute: 1, Descending: true}}}}
	later.Shards = []cairn.Shard{
		{Keyspace: keyspace, ID: 1, End: []byte{0x80}, Epoch: 11},
		{Keyspace: keyspace, ID: 2, Start: []byte{0x80}, Epoch: 11},
	}
	later.Records = []cairn.Record{{Name: "a view", Value: []byte("1")}, {Name: "cluster", Value: []byte(`{"more":1}`)}}
	if err := r.Assign(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, r, put(1, "key"))
	stageFixture(t, r)
	want, err := r.KnownMap()
	if err != nil {
		t.Fatal(err)
	}
	if want.Revision != 12 || !reflect.DeepEqual(want.Records, later.Records) || !reflect.DeepEqual(want.Shards, later.Shards) ||
		!reflect.DeepEqual(want.Views, later.Views) || len(want.Keyspaces) != 1 {
		t.Errorf("a replica that noted\n%+v\nknows\n%+v", later, want)
	}
	if s := want.Staged; len(s) != 1 || s[0].Whole || s[0].Move != fixtureMove.Move || s[0].Attempt != fixtureMove.Attempt {
		t.Errorf("staged: %+v", s)
	}

	config.Dir = t.TempDir()
	if err := os.CopyFS(config.Dir, os.DirFS(r.config.Dir)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := ReadKnownMap(config)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("the directory knows\n%+v, %v, want\n%+v", got, err, want)
		}
	}
	again, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAndCheck(t, again)
	if n, found := find(t, again, cairn.Read{Level: cairn.Linearizable}, "key"); n != 1 || !found {
		t.Errorf("the key has %d, %v", n, found)
	}
	if _, err := ReadKnownMap(configure(t.TempDir())); cairn.ReasonOf(err) != "INDEX_MISSING" {
		t.Errorf("an empty directory: %v", err)
	}
}
