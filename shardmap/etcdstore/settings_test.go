package etcdstore_test

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

// TestSettingsAreStored: whoever watches, loads or reads the journal sees the
// settings as they were put, and of two who change them one wins.
func TestSettingsAreStored(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	journal := filepath.Join(t.TempDir(), "map.journal")
	watching := open(t, etcdstore.Config{Client: server.Client(t), Journal: journal})
	at := time.Date(2026, 7, 1, 12, 0, 0, 1000, time.UTC)
	want := shardmap.Settings{
		Limits:  &shardmap.CopyLimits{Bytes: 5, Entries: 6},
		Balance: shardmap.Balance{On: true, Share: 0.5, Moves: 3, By: "load", Every: time.Minute, Since: at, Round: at, Stopped: "a move failed"},
	}
	change, err := shardmap.Set(s.Map(), want)
	if err != nil {
		t.Fatal(err)
	}
	want.Revision = commit(t, s, change).Revision()
	if _, err := s.Commit(bounded(t), change); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("a change of what has changed since: %v", err)
	}
	if _, err := watching.Wait(bounded(t), want.Revision); err != nil {
		t.Fatal(err)
	}
	if err := watching.Close(); err != nil {
		t.Fatal(err)
	}
	loading := open(t, etcdstore.Config{Client: server.Client(t)})
	client := server.Client(t)
	server.Stop()
	kept := open(t, etcdstore.Config{Client: client, Journal: journal, StartWait: time.Millisecond})
	for name, store := range map[string]*etcdstore.Store{"committed": s, "watched": watching, "loaded": loading, "in the journal": kept} {
		if got := store.Map().Settings(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n%+v, want\n%+v", name, got, want)
		}
	}
}
