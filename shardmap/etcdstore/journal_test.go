package etcdstore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// world is a Map of one cluster and a hash keyspace of so many shards.
func world(t testing.TB, shards int) *state {
	t.Helper()
	l := newLoader(10)
	cluster := &catalog.Cluster{
		UID: 1, Name: "north", Weight: 1, NextNode: 2,
		Nodes: []cairn.Node{{ID: 1, Name: "a", Address: "a:1", Weight: 1, State: cairn.NodeActive}},
	}
	change, err := shardmap.Create(catalog.NewKeyspace{
		Keyspace: &catalog.Keyspace{
			Keyspace:      cairn.Keyspace{UID: 2, Name: "runways", Placement: cairn.Placement{Scheme: cairn.SchemeHash}, Replicas: 1, Schema: &cairn.Schema{}},
			NextAttribute: 1,
		},
		InitialShards: shards,
	}, []*catalog.Cluster{cluster})
	if err != nil {
		t.Fatal(err)
	}
	k := change.Keyspaces[0].Put
	view := &catalog.View{UID: 3, Name: "long", Keyspace: 2, Building: &catalog.ViewVersion{Number: 1, Filter: "a && b"}, NextVersion: 2}
	records := []record{{clustersFolder + "north", catalog.EncodeCluster(cluster), 3}, {keyspacesFolder + "runways", catalog.EncodeKeyspace(k), 9}}
	for _, s := range change.Shards {
		records = append(records, record{shardKey(generation{2, s.Generation}, s.ID), encodeShard(*s.Put), 8})
	}
	records = append(records, record{viewsFolder + "long", catalog.EncodeView(view), 10})
	for _, r := range records {
		if err := l.add(r); err != nil {
			t.Fatal(err)
		}
	}
	s, err := l.finish()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pinOne is the record of a shard whose pin changes.
func pinOne(s *state, id cairn.ShardID, revision uint64) []record {
	shard, _ := s.current.Shard(2, id)
	shard.Pinned = !shard.Pinned
	return []record{{shardKey(generation{2, 1}, id), encodeShard(shard), revision}}
}

// writeJournal is a journal of a snapshot and some changes.
func writeJournal(t testing.TB, s *state, changes int) (path string, after *state) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "map.journal")
	w := &journal{path: path, kick: make(chan struct{}, 1), failed: func(err error) { t.Error(err) }}
	w.rewrite(&snapshot{s.current, s.hiddenRecords(), time.Unix(1_000, 0)})
	for i := range changes {
		revision := 11 + uint64(i)
		records := pinOne(s, 1, revision)
		if err := s.apply(revision, records); err != nil {
			t.Fatal(err)
		}
		if w.append(revision, records) {
			t.Fatal("a snapshot is wanted")
		}
		w.flush()
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return path, s
}

func TestJournalTornAnywhere(t *testing.T) {
	path, _ := writeJournal(t, world(t, 3), 5)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	for n := range len(whole) + 1 {
		j, err := readJournal(bytes.NewReader(whole[:n]))
		switch {
		case j == nil && err == nil && n != 0:
			t.Fatalf("%d bytes: nothing, and no error", n)
		case j == nil:
			if last != 0 {
				t.Fatalf("%d bytes: the snapshot is lost: %v", n, err)
			}
		case err != nil:
			t.Fatalf("%d bytes: a torn tail is an error: %v", n, err)
		default:
			if r := j.state.current.Revision(); r < last || r > 15 {
				t.Fatalf("%d bytes: revision %d after %d", n, r, last)
			} else {
				last = r
			}
		}
	}
	if last != 15 {
		t.Errorf("the last revision is %d", last)
	}
}

func TestJournalBitFlips(t *testing.T) {
	path, _ := writeJournal(t, world(t, 3), 5)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		j, err := readJournal(bytes.NewReader(flipped))
		// A length that now reaches past the end looks like a torn tail.
		if err == nil && (j == nil || j.state.current.Revision() == 15) {
			t.Fatalf("byte %d: not noticed", i)
		}
		if err != nil && cairn.KindOf(err) != cairn.KindCorrupt {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

// TestJournalWithAChangeThatCannotBe goes on with the Map before it.
func TestJournalWithAChangeThatCannotBe(t *testing.T) {
	path, s := writeJournal(t, world(t, 3), 2)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hole := []record{{key: shardKey(generation{2, 1}, 2), modRevision: 20}}
	j, err := readJournal(bytes.NewReader(appendFrame(whole, framed(20, hole))))
	if cairn.KindOf(err) != cairn.KindCorrupt || j == nil || j.state.current.Revision() != s.current.Revision() {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestJournalAppendsWhatChanged(t *testing.T) {
	sizes := map[int]int64{}
	for _, shards := range []int{10, 10_000} {
		path, s := writeJournal(t, world(t, shards), 0)
		w := &journal{path: path, kick: make(chan struct{}, 1), failed: func(err error) { t.Error(err) }}
		w.rewrite(&snapshot{s.current, nil, time.Unix(1_000, 0)})
		w.flush()
		before := w.size
		w.append(11, pinOne(s, 1, 11))
		w.flush()
		sizes[shards] = w.size - before
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
	}
	if sizes[10] != sizes[10_000] || sizes[10] > 300 {
		t.Errorf("bytes a change: %v", sizes)
	}
}

func TestJournalIsCompacted(t *testing.T) {
	s := world(t, 10)
	path := filepath.Join(t.TempDir(), "map.journal")
	w := &journal{path: path, kick: make(chan struct{}, 1), failed: func(err error) { t.Error(err) }}
	w.rewrite(&snapshot{s.current, nil, time.Unix(1_000, 0)})
	compactions := 0
	for revision := uint64(11); revision < 12_000; revision++ {
		records := pinOne(s, 1, revision)
		if err := s.apply(revision, records); err != nil {
			t.Fatal(err)
		}
		if w.append(revision, records) {
			compactions++
			w.rewrite(&snapshot{s.current, nil, time.Unix(1_000, 0)})
		}
		w.flush()
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if compactions == 0 || info.Size() > 2*compactBytes {
		t.Errorf("%d compactions, %d bytes", compactions, info.Size())
	}
	_, j := openJournal(path, func(err error) { t.Error(err) })
	if j == nil || j.state.current.Revision() != 11_999 {
		t.Fatalf("read back as %+v", j)
	}
	if v, found := j.state.current.Catalog().ViewByName("long"); !found || v.Revision != 10 || v.Building.Filter != "a && b" {
		t.Errorf("the view is read back as %+v", v)
	}
}

// TestStateFollowsAsItLoads puts random records and deletions, and compares
// what is followed with what is loaded, and with what a journal brings back.
func TestStateFollowsAsItLoads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := map[string]record{}
		followed, err := newLoader(1).finish()
		if err != nil {
			t.Fatal(err)
		}
		first := snapshot{followed.current, nil, time.Unix(1, 0)}
		log := appendFrame(nil, frame{Journal: journalForm})
		log = appendFrame(log, frame{Revision: 1, Time: first.time.UnixNano(), Complete: true})
		for revision := uint64(2); revision < 30; revision++ {
			records := drawTransaction(t, followed, revision)
			for _, r := range records {
				if r.value == nil {
					delete(all, r.key)
				} else {
					all[r.key] = r
				}
			}
			if err := followed.apply(revision, records); err != nil {
				t.Fatal(err)
			}
			log = appendFrame(log, framed(revision, records))
			loaded := load(t, revision, all)
			same(t, followed, loaded)
		}
		j, err := readJournal(bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		same(t, j.state, followed)
	})
}

func load(t *rapid.T, revision uint64, all map[string]record) *state {
	l := newLoader(revision)
	for _, folder := range mapFolders {
		for key, r := range all {
			if len(key) > len(folder) && key[:len(folder)] == folder {
				if err := l.add(r); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	s, err := l.finish()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func same(t *rapid.T, got, want *state) {
	describe := func(s *state) string {
		out := ""
		for _, k := range s.current.Catalog().Keyspaces() {
			out += fmt.Sprintf("%s %s %d %d\n", k.Name, k.UID, k.Revision, k.ModRevision)
			for shard := range s.current.Shards(k.UID) {
				out += fmt.Sprintf("  %s %d\n", shard, shard.Revision)
			}
			for _, view := range s.current.Catalog().ViewsOf(k.UID) {
				out += fmt.Sprintf("  %s %d\n", catalog.EncodeView(view), view.Revision)
			}
		}
		return out + fmt.Sprint(len(s.leftovers()), len(s.hidden), len(s.creating))
	}
	if g, w := describe(got), describe(want); g != w {
		t.Fatalf("got\n%s\nwant\n%s", g, w)
	}
}

// drawTransaction draws what a transaction may do: begin, go on with, finish
// or give up a creation; delete a keyspace; sweep; split; declare, flip and
// delete a view.
func drawTransaction(t *rapid.T, s *state, revision uint64) (out []record) {
	g := generation{cairn.UID(rapid.Uint64Range(1, 3).Draw(t, "uid")), 1}
	g.keyspace += 10 * cairn.UID(revision/10) // uids are not used again
	name := "k" + g.keyspace.String()
	_, live := s.current.Catalog().KeyspaceByUID(g.keyspace)
	remove := func(key string) { out = append(out, record{key: key, modRevision: revision}) }
	switch action := rapid.IntRange(0, 7).Draw(t, "action"); {
	case live && action < 2:
		remove(keyspacesFolder + name)
		for _, view := range s.current.Catalog().ViewsOf(g.keyspace) {
			remove(viewsFolder + view.Name)
		}
	case live && action > 5:
		name := viewsFolder + "of-" + name
		view := &catalog.View{UID: cairn.UID(revision), Name: name[len(viewsFolder):], Keyspace: g.keyspace, Building: &catalog.ViewVersion{Number: 1}, NextVersion: 2}
		if standing, found := s.current.Catalog().ViewByName(view.Name); found {
			change, err := shardmap.Flip(s.current, standing.UID, 1)
			if err != nil {
				remove(name)
				if action == 6 {
					return out
				}
			} else {
				view = change.Views[0].Put
			}
		}
		out = append(out, record{name, catalog.EncodeView(view), revision})
	case live:
		for shard := range s.current.Shards(g.keyspace) {
			if change, err := shardmap.Split(s.current, g.keyspace, shard.ID, []byte(fmt.Sprint(shard.ID, "!"))); err == nil {
				out = append(out, record{keyspacesFolder + name, catalog.EncodeKeyspace(change.Keyspaces[0].Put), revision})
				for _, c := range change.Shards {
					out = append(out, record{shardKey(g, c.ID), encodeShard(*c.Put), revision})
				}
				return out
			}
		}
	case !s.creating[g.keyspace] && len(s.hidden[g]) > 0: // a leftover
		for id := range s.hidden[g] {
			remove(shardKey(g, id))
		}
	case !s.creating[g.keyspace]:
		if action < 3 {
			out = append(out, record{creatingKey(g.keyspace), creatingValue, revision})
		}
	case len(s.hidden[g]) == 0:
		all := shardmap.Shard{Shard: cairn.Shard{Keyspace: g.keyspace, ID: 1}, Cluster: 1}
		out = append(out, record{shardKey(g, 1), encodeShard(all), revision})
	case action == 0:
		remove(creatingKey(g.keyspace))
	default:
		remove(creatingKey(g.keyspace))
		k := &catalog.Keyspace{
			Keyspace:   cairn.Keyspace{UID: g.keyspace, Name: name, Placement: cairn.Placement{Scheme: cairn.SchemeRange}, Replicas: 1, Schema: &cairn.Schema{}},
			Generation: 1, NextShard: 2, NextAttribute: 1,
		}
		out = append(out, record{keyspacesFolder + name, catalog.EncodeKeyspace(k), revision})
	}
	return out
}

// TestFramesKeepTheLastOfAKey is of a batch of the watch in which a record was
// deleted and put anew, and another put and deleted.
func TestFramesKeepTheLastOfAKey(t *testing.T) {
	f := framed(9, []record{
		{"views/a", nil, 7}, {"views/b", []byte("b"), 7},
		{"views/a", []byte("a"), 8}, {"views/b", nil, 9},
	})
	if len(f.Put) != 1 || f.Put[0].Key != "views/a" || len(f.Delete) != 1 || f.Delete[0] != "views/b" {
		t.Errorf("put %v, deleted %v", f.Put, f.Delete)
	}
}

func FuzzReadJournal(f *testing.F) {
	header := appendFrame(nil, frame{Journal: journalForm})
	f.Add(header)
	f.Add(appendFrame(header, frame{Revision: 3, Time: 1, Complete: true}))
	f.Add([]byte("something else"))
	s := world(f, 2)
	path, _ := writeJournal(f, s, 2)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := readJournal(bytes.NewReader(data))
		if err != nil && cairn.KindOf(err) != cairn.KindCorrupt {
			t.Fatal(err)
		}
		if j == nil {
			return
		}
		// What was read can be written, and read again.
		var written bytes.Buffer
		if _, err := (&snapshot{j.state.current, j.state.hiddenRecords(), j.provenAt}).write(&written); err != nil {
			t.Fatal(err)
		}
		again, err := readJournal(&written)
		if err != nil || again == nil || again.state.current.Revision() != j.state.current.Revision() || !again.provenAt.Equal(j.provenAt) {
			t.Fatalf("read back as %+v, %v", again, err)
		}
	})
}

// FuzzShardRecord reads shard records of any bytes: what is read can be
// written, and reads as the same.
func FuzzShardRecord(f *testing.F) {
	f.Add("shards/00000000000000ff/1/0000000000000001", []byte(`{"cluster":"00000000000000ff","start":"","end":"80"}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		g, id, err := parseShardKey(key)
		if err != nil {
			return
		}
		shard, err := decodeShard(g, id, record{key, value, 9})
		if err != nil {
			if cairn.KindOf(err) != cairn.KindCorrupt {
				t.Fatal(err)
			}
			return
		}
		again, err := decodeShard(g, id, record{key, encodeShard(shard), 9})
		if err != nil || again.String() != shard.String() {
			t.Fatalf("read back as %v, %v", again, err)
		}
	})
}

// BenchmarkJournalAppend is one changed shard, in a small and a larger Map.
func BenchmarkJournalAppend(b *testing.B) {
	for _, shards := range []int{100, 65_536} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) {
			path, s := writeJournal(b, world(b, shards), 0)
			w := &journal{path: path, kick: make(chan struct{}, 1), failed: func(err error) { b.Error(err) }}
			w.rewrite(&snapshot{s.current, nil, time.Unix(1_000, 0)})
			w.flush()
			before := w.size
			records := pinOne(s, 1, 11)
			b.ReportAllocs()
			for b.Loop() {
				w.append(11, records)
				w.flush()
				w.want = false
			}
			b.ReportMetric(float64(w.size-before)/float64(b.N), "B/change")
			if err := w.close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkStateApply is following one changed shard.
func BenchmarkStateApply(b *testing.B) {
	s := world(b, 65_536)
	revision := uint64(11)
	b.ReportAllocs()
	for b.Loop() {
		revision++
		if err := s.apply(revision, pinOne(s, 1, revision)); err != nil {
			b.Fatal(err)
		}
	}
}
