package etcdstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

func TestSurvivesRestartOfEtcd(t *testing.T) {
	server := etcdtest.Start(t)
	disconnected := make(chan error, 100)
	recovered := make(chan uint64, 100)
	// etcd's shutdown waits some seconds for open streams: cut them first.
	p := newProxy(t, server.Endpoint())
	s := open(t, etcdstore.Config{Client: p.client(t), Events: etcdstore.Events{
		Disconnected: func(err error) { disconnected <- err },
		Recovered:    func(revision uint64) { recovered <- revision },
	}})
	other := newProxy(t, server.Endpoint())
	addCluster(t, s, "north")
	before := commit(t, s, newKeyspace(t, s, "runways", 8))
	for round := range 2 {
		p.setCut(true)
		other.setCut(true)
		server.Stop()
		if err := <-disconnected; cairn.KindOf(err) != cairn.KindUnavailable {
			t.Errorf("disconnected: %v", err)
		}
		sameMap(t, s.Map(), before)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if _, err := s.Refresh(ctx); cairn.KindOf(err) != cairn.KindUnavailable {
			t.Errorf("refresh without etcd: %v", err)
		}
		cancel()
		eventually(t, "staleness grows", func() bool { return s.Staleness() > 200*time.Millisecond })
		server.Restart()
		p.setCut(false)
		other.setCut(false)
		eventually(t, "the map is proven again", func() bool { return s.Staleness() < 200*time.Millisecond })
		select {
		case revision := <-recovered:
			if revision < before.Revision() {
				t.Errorf("recovered at %d, of %d", revision, before.Revision())
			}
		case <-time.After(10 * time.Second):
			t.Error("nobody was told that etcd answers again")
		}
		// What somebody else changes is followed again.
		name := fmt.Sprintf("c%d", round)
		second := open(t, etcdstore.Config{Client: other.client(t)})
		addCluster(t, second, name)
		if m, err := s.Wait(bounded(t), second.Map().Revision()); err != nil {
			t.Fatal(err)
		} else if _, found := m.Catalog().ClusterByName(name); !found {
			t.Errorf("no cluster %s", name)
		}
		for len(disconnected) > 0 {
			<-disconnected
		}
	}
}

func TestReloadsAfterCompaction(t *testing.T) {
	server := etcdtest.Start(t)
	p := newProxy(t, server.Endpoint())
	loaded := make(chan uint64, 10)
	follower := open(t, etcdstore.Config{Client: p.client(t), Events: etcdstore.Events{
		Loaded: func(revision uint64, _ int, _ time.Duration) { loaded <- revision },
	}})
	<-loaded
	p.setCut(true)
	writer := open(t, etcdstore.Config{Client: server.Client(t)})
	addCluster(t, writer, "north")
	m := commit(t, writer, newKeyspace(t, writer, "runways", 300))
	k := keyspace(t, m, "runways")
	commit(t, writer, shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Delete: true}}})
	m = commit(t, writer, newKeyspace(t, writer, "runways", 400))
	if _, err := server.Client(t).Compact(bounded(t), int64(m.Revision())); err != nil {
		t.Fatal(err)
	}
	p.setCut(false)
	got, err := follower.Wait(bounded(t), m.Revision())
	if err != nil {
		t.Fatal(err)
	}
	sameMap(t, got, m)
	if revision := <-loaded; revision < m.Revision() {
		t.Errorf("loaded at %d", revision)
	}
}

// TestUnknownOutcomesAreResolved cuts the connection again and again under
// commits. Each must have taken effect exactly if it said so, and a later one
// must find out.
func TestUnknownOutcomesAreResolved(t *testing.T) {
	server := etcdtest.Start(t)
	p := newProxy(t, server.Endpoint())
	s := open(t, etcdstore.Config{Client: p.client(t), RetryEvery: 20 * time.Millisecond})
	addCluster(t, s, "north")
	m := commit(t, s, newKeyspace(t, s, "runways", 1))
	uid := keyspace(t, m, "runways").UID
	conflicts := 0
	for i := range 40 {
		m, err := s.Refresh(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		at := make([]byte, 8)
		at[0], at[1] = byte(i+1), 1
		shard, _ := m.Lookup(uid, at)
		change, err := shardmap.Split(m, uid, shard.ID, at)
		if err != nil {
			t.Fatal(err)
		}
		var cutter sync.WaitGroup
		cutter.Go(func() {
			time.Sleep(time.Duration(i%10) * 300 * time.Microsecond)
			p.setCut(true)
			p.setCut(false)
		})
		revision, err := s.Commit(bounded(t), change)
		cutter.Wait()
		if cairn.KindOf(err) == cairn.KindConflict {
			conflicts++ // nobody else commits: it is a success that was not recognised
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if m, err = s.Wait(bounded(t), revision); err != nil {
			t.Fatal(err)
		}
		if left, _ := m.Shard(uid, shard.ID); left.Epoch != revision {
			t.Fatalf("committed at %d, but the shard has epoch %d", revision, left.Epoch)
		}
	}
	if conflicts > 0 {
		t.Errorf("%d commits were mistaken for lost ones", conflicts)
	}
	if n := s.Map().Count(uid); n != 41 {
		t.Errorf("%d shards, want 41", n)
	}
}

// TestUnheardCommitIsRecognised loses the answer to a commit that took effect.
func TestUnheardCommitIsRecognised(t *testing.T) {
	server := etcdtest.Start(t)
	p := newProxy(t, server.Endpoint())
	s, other := open(t, etcdstore.Config{Client: p.client(t)}), open(t, etcdstore.Config{Client: server.Client(t)})
	addCluster(t, s, "north")
	change := newKeyspace(t, s, "runways", 4)
	p.mute.Store(true)
	type outcome struct {
		revision uint64
		err      error
	}
	done := make(chan outcome)
	go func() {
		revision, err := s.Commit(bounded(t), change)
		done <- outcome{revision, err}
	}()
	eventually(t, "the commit lands", func() bool {
		_, found := other.Map().Catalog().KeyspaceByName("runways")
		return found
	})
	p.setCut(true)
	p.mute.Store(false)
	p.setCut(false)
	got := <-done
	if want := keyspace(t, other.Map(), "runways").Revision; got.err != nil || got.revision != want {
		t.Errorf("committed at %d, %v; it was at %d", got.revision, got.err, want)
	}
}

func TestUnknownOutcome(t *testing.T) {
	server := etcdtest.Start(t)
	p := newProxy(t, server.Endpoint())
	s := open(t, etcdstore.Config{Client: p.client(t)})
	addCluster(t, s, "north")
	for _, lands := range []bool{false, true} {
		name := fmt.Sprint("lands-", lands)
		change := newKeyspace(t, s, name, 4)
		if lands {
			p.mute.Store(true)
		} else {
			p.setCut(true)
		}
		if _, err := s.Commit(shortly(t), change); cairn.KindOf(err) != cairn.KindUnknown {
			t.Errorf("without an answer: %v", err)
		}
		p.setCut(true)
		p.mute.Store(false)
		p.setCut(false)
		// The next commit finds its way, whatever became of that one.
		addCluster(t, s, "c-"+name)
		if _, found := s.Map().Catalog().KeyspaceByName(name); found != lands {
			t.Errorf("the keyspace is there: %t, want %t", found, lands)
		}
	}
}

// TestExpiredCreationHasNoEffect takes the mark away under a creation, as the
// end of its lease does.
func TestExpiredCreationHasNoEffect(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	addCluster(t, s, "north")
	client := server.Client(t)
	marks := client.Watch(bounded(t), etcdstore.DefaultPrefix+"creating/", clientv3.WithPrefix())
	done := make(chan error)
	go func() {
		_, err := s.Commit(bounded(t), newKeyspace(t, s, "many", 20_000))
		done <- err
	}()
	<-marks
	if _, err := client.Delete(bounded(t), etcdstore.DefaultPrefix+"creating/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; cairn.ReasonOf(err) != "CREATION_EXPIRED" && cairn.ReasonOf(err) != "MAP_CHANGED" {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Sweep(bounded(t)); err != nil {
		t.Fatal(err)
	}
	left, err := client.Get(bounded(t), etcdstore.DefaultPrefix+"shards/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || left.Count != 0 {
		t.Errorf("%d shards are left, %v", left.Count, err)
	}
	if n := len(s.Map().Catalog().Keyspaces()); n != 0 {
		t.Errorf("%d keyspaces", n)
	}
}

func TestStartsFromJournal(t *testing.T) {
	server := etcdtest.Start(t)
	path := filepath.Join(t.TempDir(), "map.journal")
	first, err := etcdstore.Open(bounded(t), etcdstore.Config{Client: server.Client(t), Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	addCluster(t, first, "north")
	m := commit(t, first, newKeyspace(t, first, "runways", 500))
	k := keyspace(t, m, "runways")
	shard, _ := m.Lookup(k.UID, make([]byte, 8))
	change, err := shardmap.Split(m, k.UID, shard.ID, []byte{0, 0, 0, 0, 0, 0, 0, 9})
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, first, change)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	server.Stop()

	var age time.Duration
	now := time.Now().Add(time.Hour)
	second := open(t, etcdstore.Config{
		Client: server.Client(t), Journal: path, StartWait: 10 * time.Millisecond, Now: func() time.Time { return now },
		Events: etcdstore.Events{StartedFromJournal: func(_ uint64, a time.Duration) { age = a }},
	})
	sameMap(t, second.Map(), m)
	if second.Map().Revision() != m.Revision() {
		t.Errorf("revision %d, want %d", second.Map().Revision(), m.Revision())
	}
	if s := second.Staleness(); age < 50*time.Minute || age > 70*time.Minute || s != age {
		t.Errorf("age %s, staleness %s", age, s)
	}
	if _, err := second.Commit(shortly(t), change); err == nil {
		t.Error("committed without etcd")
	}
	server.Restart()
	eventually(t, "etcd is followed again", func() bool { return second.Staleness() < time.Minute })
	sameMap(t, second.Map(), m)
}

func shortly(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestEtcdMissingAtStart(t *testing.T) {
	server := etcdtest.Start(t)
	server.Stop()
	said := make(chan error, 100)
	events := etcdstore.Events{Disconnected: func(err error) { said <- err }}
	if _, err := etcdstore.Open(shortly(t), etcdstore.Config{Client: server.Client(t), Events: events}); err == nil {
		t.Fatal("opened without etcd")
	}
	opened := make(chan *etcdstore.Store)
	go func() {
		s, err := etcdstore.Open(bounded(t), etcdstore.Config{Client: server.Client(t), Events: events})
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	time.Sleep(50 * time.Millisecond)
	server.Restart()
	s := <-opened
	if s == nil {
		t.FailNow()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOlderEtcdNeverWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "map.journal")
	server := etcdtest.Start(t)
	first, err := etcdstore.Open(bounded(t), etcdstore.Config{Client: server.Client(t), Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	addCluster(t, first, "north")
	m := commit(t, first, newKeyspace(t, first, "runways", 5))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 10)
	empty := etcdtest.Start(t)
	second := open(t, etcdstore.Config{
		Client: empty.Client(t), Journal: path, StartWait: 100 * time.Millisecond,
		Events: etcdstore.Events{Refused: func(err error) { refused <- err }},
	})
	if err := <-refused; cairn.KindOf(err) != cairn.KindStale {
		t.Errorf("refused: %v", err)
	}
	sameMap(t, second.Map(), m)
}

func TestBrokenRecordIsRefused(t *testing.T) {
	server := etcdtest.Start(t)
	refused := make(chan error, 10)
	s := open(t, etcdstore.Config{Client: server.Client(t), Events: etcdstore.Events{Refused: func(err error) { refused <- err }}})
	addCluster(t, s, "north")
	m := commit(t, s, newKeyspace(t, s, "runways", 5))
	client := server.Client(t)
	key := etcdstore.DefaultPrefix + "clusters/south"
	if _, err := client.Put(bounded(t), key, `{"uid":"0"`); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; cairn.KindOf(err) != cairn.KindCorrupt {
		t.Errorf("refused: %v", err)
	}
	sameMap(t, s.Map(), m)
	if _, err := client.Delete(bounded(t), key); err != nil {
		t.Fatal(err)
	}
	addCluster(t, s, "south")
}

func TestForeignJournalIsLeftAlone(t *testing.T) {
	server := etcdtest.Start(t)
	path := filepath.Join(t.TempDir(), "map.journal")
	foreign := []byte("not a journal at all")
	if err := os.WriteFile(path, foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	said := make(chan error, 10)
	s := open(t, etcdstore.Config{Client: server.Client(t), Journal: path, Events: etcdstore.Events{JournalFailed: func(err error) { said <- err }}})
	addCluster(t, s, "north")
	if err := <-said; cairn.KindOf(err) != cairn.KindCorrupt {
		t.Errorf("said: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(foreign) {
		t.Errorf("the file was changed: %q, %v", now, err)
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	server := etcdtest.Start(t)
	said := make(chan error, 10)
	s := open(t, etcdstore.Config{
		Client: server.Client(t), Journal: filepath.Join(t.TempDir(), "missing", "map.journal"),
		Events: etcdstore.Events{JournalFailed: func(err error) { said <- err }},
	})
	addCluster(t, s, "north")
	if err := <-said; cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("said: %v", err)
	}
}
