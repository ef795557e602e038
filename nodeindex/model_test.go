package nodeindex

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cairn"
	"cairn/shardmap/placement"

	"pgregory.net/rapid"
)

// modelEntry is what the model knows of a key.
type modelEntry struct {
	version    cairn.Version
	nodes      []cairn.NodeID
	attributes string
}

// modelWrite is the state of a key from a log index on.
type modelWrite struct {
	index uint64
	entry *modelEntry // nil: none
}

// model is the simple thing that an index must be like: maps, and the log.
type model struct {
	schemes map[cairn.UID]cairn.Scheme
	schema  *cairn.Schema
	log     [][]byte
	entries map[cairn.UID]map[string]*modelEntry
	shards  map[cairn.UID][]cairn.Shard
	history map[string][]modelWrite // by keyspace and key
	views   map[cairn.UID][]cairn.View
	fenced  map[shardName]bool

	compared int

	revision uint64
	nextID   cairn.ShardID
}

func historyKey(keyspace cairn.UID, key []byte) string { return keyspace.String() + string(key) }

func (m *model) find(keyspace cairn.UID, key cairn.Key) *cairn.Shard {
	at := placement.Key(cairn.Placement{Scheme: m.schemes[keyspace]}, key, nil)
	for i := range m.shards[keyspace] {
		s := &m.shards[keyspace][i]
		if bytes.Compare(s.Start, at) <= 0 && (len(s.End) == 0 || bytes.Compare(at, s.End) < 0) {
			return s
		}
	}
	return nil
}

func (m *model) set(keyspace cairn.UID, key []byte, index uint64, e *modelEntry) {
	if e == nil {
		delete(m.entries[keyspace], string(key))
	} else {
		m.entries[keyspace][string(key)] = e
	}
	name := historyKey(keyspace, key)
	m.history[name] = append(m.history[name], modelWrite{index, e})
}

// write is what the model makes of mutations at a log index; the nodes of new
// entries are taken from the outcome, for the leader may choose any.
func (m *model) write(t *rapid.T, keyspace cairn.UID, mutations []cairn.Mutation, index uint64, got []cairn.Written) {
	for i := range mutations {
		mutation, out := &mutations[i], got[i]
		s := m.find(keyspace, mutation.Key)
		before := m.entries[keyspace][string(mutation.Key)]
		var present cairn.Version
		if before != nil {
			present = before.version
		}
		switch {
		case s == nil:
			expect(t, out.Err != nil && out.Err.Kind == cairn.KindStale, "key %s is not owned: %+v", mutation.Key, out)
			continue
		case m.fenced[shardName{keyspace, s.ID}]:
			expect(t, cairn.ReasonOf(errorOf(out)) == "SHARD_FENCED", "key %s is of a fenced shard: %+v", mutation.Key, out)
			continue
		case mutation.Condition.Present && mutation.Condition.Version != present:
			expect(t, out.Err != nil && out.Err.Kind == cairn.KindPrecondition, "key %s, condition %v of %v: %+v", mutation.Key, mutation.Condition, present, out)
			continue
		}
		expect(t, out.Err == nil, "key %s: %v", mutation.Key, out.Err)
		expect(t, out.Existed == (before != nil), "key %s existed: %+v", mutation.Key, out)
		expect(t, out.Stamp == cairn.Stamp{Epoch: s.Epoch, Index: index}, "key %s: stamp %v", mutation.Key, out.Stamp)
		if mutation.Operation == cairn.Delete {
			if before != nil {
				m.set(keyspace, mutation.Key, index, nil)
			}
			continue
		}
		attributes := mutation.Attributes
		if mutation.Operation == cairn.Merge {
			var old cairn.Attributes
			if before != nil {
				old = cairn.Attributes(before.attributes)
			}
			attributes = old.Merge(mutation.Attributes)
		}
		nodes := out.Nodes
		switch {
		case len(mutation.Nodes) > 0:
			nodes = mutation.Nodes
		case before != nil:
			nodes = before.nodes
		}
		expect(t, len(nodes) > 0 && slices.Equal(nodes, out.Nodes), "key %s: nodes %v, want %v", mutation.Key, out.Nodes, nodes)
		m.set(keyspace, mutation.Key, index, &modelEntry{out.Version, nodes, string(attributes)})
	}
}

func expect(t *rapid.T, ok bool, format string, args ...any) {
	if !ok {
		t.Fatalf(format, args...)
	}
}

var modelKeyspaces = []cairn.UID{0x1111, 0x2222}

func modelKey(i int) cairn.Key { return cairn.Key(fmt.Sprintf("%c%02d", 'a'+i%20, i)) }

// assignment draws a new division of the keyspaces: some ranges are the
// cluster's, others not; now and then a keyspace is gone altogether.
func (m *model) assignment(t *rapid.T) cairn.Assignment {
	m.revision += uint64(rapid.IntRange(1, 3).Draw(t, "revisions"))
	a := cairn.Assignment{Revision: m.revision, Nodes: []cairn.Node{
		{ID: 1, Name: "a", Weight: 1, State: cairn.NodeActive}, {ID: 2, Name: "b", Weight: 1, State: cairn.NodeActive},
	}}
	for _, uid := range modelKeyspaces {
		if rapid.IntRange(0, 5).Draw(t, "gone") == 0 {
			continue
		}
		a.Keyspaces = append(a.Keyspaces, cairn.Keyspace{
			UID: uid, Name: "k", Placement: cairn.Placement{Scheme: m.schemes[uid]}, Replicas: 1, Schema: m.schema,
		})
		a.Views = append(a.Views, drawViews(t, uid)...)
		cuts := slices.Sorted(maps.Keys(rapid.MapOfN(rapid.IntRange(1, 19), rapid.Just(true), 0, 4).Draw(t, "cuts")))
		for i := range len(cuts) + 1 {
			var s cairn.Shard
			if i > 0 {
				s.Start = m.bound(uid, cuts[i-1])
			}
			if i < len(cuts) {
				s.End = m.bound(uid, cuts[i])
			}
			if rapid.IntRange(0, 3).Draw(t, "elsewhere") == 0 {
				continue
			}
			s.Keyspace = uid
			s.ID, s.Epoch = m.nextID, m.revision
			for _, old := range m.shards[uid] {
				if sameBounds(&old, &s) {
					s.ID, s.Epoch = old.ID, old.Epoch
				}
			}
			m.nextID++
			a.Shards = append(a.Shards, s)
		}
	}
	return a
}

func (m *model) bound(uid cairn.UID, cut int) []byte {
	if m.schemes[uid] == cairn.SchemeRange {
		return []byte{byte('a' + cut)}
	}
	return binary.BigEndian.AppendUint64(nil, uint64(cut)<<59)
}

// assign is what the model makes of an assignment: what has no shard is gone.
func (m *model) assign(a cairn.Assignment, index uint64) {
	m.shards = make(map[cairn.UID][]cairn.Shard)
	m.views = make(map[cairn.UID][]cairn.View)
	for _, v := range a.Views {
		m.views[v.Keyspace] = append(m.views[v.Keyspace], v)
	}
	for _, s := range a.Shards {
		m.shards[s.Keyspace] = append(m.shards[s.Keyspace], s)
	}
	for uid, entries := range m.entries {
		for key := range entries {
			if m.find(uid, cairn.Key(key)) == nil {
				m.set(uid, []byte(key), index, nil)
			}
		}
	}
}

// compare holds all of an index against the model.
func (m *model) compare(t *rapid.T, x *Index) {
	nodes := make(map[cairn.NodeID]uint64)
	total := uint64(0)
	for _, uid := range modelKeyspaces {
		var keys []cairn.Key
		for i := range 60 {
			keys = append(keys, modelKey(i))
		}
		for _, full := range []bool{false, true} {
			var reply cairn.LocateReply
			err := x.Locate(&cairn.LocateRequest{Read: cairn.Read{Keyspace: uid}, WithAttributes: full, Keys: keys}, &reply)
			expect(t, err == nil, "locate: %v", err)
			for i, key := range keys {
				m.compareOne(t, uid, key, full, reply.Results[i])
			}
		}
		var listed []string
		var start cairn.Key
		for {
			var reply cairn.ListReply
			err := x.List(&cairn.ListRequest{Read: cairn.Read{Keyspace: uid}, Start: start, Limit: 7}, &reply)
			expect(t, err == nil, "list: %v", err)
			for _, e := range reply.Entries {
				want := m.entries[uid][string(e.Key)]
				expect(t, want != nil && want.version == e.Version && string(e.Attributes) == want.attributes, "listed %s: %+v", e.Key, e)
				listed = append(listed, string(e.Key))
			}
			if !reply.More {
				break
			}
			start = append(bytes.Clone(reply.Entries[len(reply.Entries)-1].Key), 0)
		}
		if m.compared++; m.compared%8 < len(modelKeyspaces) {
			m.compareViews(t, x, uid) // costs more than all else here
		}
		expect(t, slices.Equal(listed, slices.Sorted(maps.Keys(m.entries[uid]))), "listed %v", listed)
		total += uint64(len(listed))
		for _, e := range m.entries[uid] {
			for _, n := range e.nodes {
				nodes[n]++
			}
		}
	}
	for _, k := range x.state.Load().keyspaces {
		for _, a := range k.arriving { // which are nobody's yet, but on nodes
			for _, n := range a.nodes {
				nodes[n.node] += n.entries
			}
		}
	}
	status := x.Status()
	expect(t, status.Entries == total, "%d entries, want %d", status.Entries, total)
	for n, count := range status.NodeEntries {
		expect(t, nodes[n] == count, "node %d: %d entries, want %d", n, count, nodes[n])
	}
}

func (m *model) compareOne(t *rapid.T, uid cairn.UID, key cairn.Key, full bool, got cairn.Located) {
	s, want := m.find(uid, key), m.entries[uid][string(key)]
	switch {
	case s == nil:
		expect(t, got.State == cairn.NotOwned && got.Stamp == cairn.Stamp{}, "key %s: %+v, want not owned", key, got)
	case want == nil:
		expect(t, got.State == cairn.Absent && got.Stamp.Epoch == s.Epoch, "key %s: %+v, want absent at %d", key, got, s.Epoch)
	default:
		expect(t, got.State == cairn.Found && slices.Equal(got.Nodes, want.nodes), "key %s: %+v, want %+v", key, got, want)
		expect(t, !full || got.Version == want.version && string(got.Attributes) == want.attributes, "key %s: %+v, want %+v", key, got, want)
	}
}

// machine drives an index and the model alike.
type machine struct {
	model
	dirs    []string
	dir     string
	x       *Index
	options Options
	frozen  *Checkpoint
	readers *concurrentReaders
}

func (m *machine) open(t *rapid.T) {
	x, err := Open(m.dir, m.options)
	expect(t, err == nil, "open: %v", err)
	m.x = x
	x.db.NoSync = true // crashes here are copies of the file
	for i := x.Checkpointed().Index; i < uint64(len(m.log)); i++ {
		x.Apply(i+1, 1, m.log[i])
	}
	expect(t, x.Diverged() == nil, "the same log came to something else: %v", x.Diverged())
	m.readers = startReaders(x)
}

func (m *machine) close(t *rapid.T) {
	m.readers.end(t, &m.model)
	if m.frozen != nil {
		m.frozen.Discard()
		m.frozen = nil
	}
	err := m.x.Close()
	expect(t, err == nil, "close: %v", err)
	report, err := Check(m.dir)
	expect(t, err == nil, "check: %v\n%v", err, report)
}

func (m *machine) apply(command []byte) (Result, uint64) {
	m.log = append(m.log, command)
	index := uint64(len(m.log))
	return m.x.Apply(index, 1, command), index
}

func (m *machine) Write(t *rapid.T) {
	uid := rapid.SampledFrom(modelKeyspaces).Draw(t, "keyspace")
	mutations := m.mutations(t, uid)
	result, index := m.apply(m.x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: uid, Mutations: mutations}}))
	expect(t, result.Err == nil, "apply: %v", result.Err)
	m.write(t, uid, mutations, index, result.Requests[0])
}

// mutations draws what may be written, for the state that the model is in.
func (m *model) mutations(t *rapid.T, uid cairn.UID) []cairn.Mutation {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cairn.Mutation {
		mutation := cairn.Mutation{
			Operation: rapid.SampledFrom([]cairn.Operation{cairn.Put, cairn.Put, cairn.Merge, cairn.Delete}).Draw(t, "operation"),
			Key:       modelKey(rapid.IntRange(0, 59).Draw(t, "key")),
		}
		switch mutation.Operation {
		case cairn.Put:
			mutation.Attributes = attributes(size(rapid.Int64Range(0, 9).Draw(t, "size")))
		case cairn.Merge:
			mutation.Attributes = attributes(name(rapid.StringN(0, 3, 10).Draw(t, "name")), cairn.Attribute{ID: 2})
		}
		if mutation.Operation != cairn.Delete && rapid.IntRange(0, 3).Draw(t, "explicit") == 0 {
			mutation.Nodes = []cairn.NodeID{cairn.NodeID(rapid.IntRange(1, 2).Draw(t, "node"))}
		}
		if rapid.IntRange(0, 4).Draw(t, "conditional") == 0 {
			mutation.Condition.Present = true
			if e := m.entries[uid][string(mutation.Key)]; e != nil && rapid.Bool().Draw(t, "right") {
				mutation.Condition.Version = e.version
			}
		}
		return mutation
	}), 1, 12).Draw(t, "mutations")
}

func (m *machine) Assign(t *rapid.T) {
	a := m.assignment(t)
	command, changed := m.x.Diff(a)
	expect(t, changed, "no change")
	result, index := m.apply(command)
	expect(t, result.Err == nil && result.Revision == a.Revision, "assign: %+v", result)
	m.assign(a, index)
}

// Mark puts a mark in the log, which later compares what was applied anew
// after a crash with what was applied before it.
func (m *machine) Mark(t *rapid.T) {
	command, needed := m.x.MarkCommand("leader")
	if !needed {
		t.Skip("compared already")
	}
	result, _ := m.apply(command)
	expect(t, result.Err == nil, "mark: %v", result.Err)
	expect(t, m.x.Diverged() == nil, "diverged: %v", m.x.Diverged())
}

func (m *machine) Freeze(t *rapid.T) {
	if m.frozen != nil {
		t.Skip("frozen already")
	}
	c, err := m.x.Freeze()
	expect(t, err == nil, "freeze: %v", err)
	m.frozen = c
}

func (m *machine) Checkpoint(t *rapid.T) {
	if m.frozen == nil {
		m.Freeze(t)
	}
	c := m.frozen
	m.frozen = nil
	index, term := c.Position()
	switch rapid.IntRange(0, 4).Draw(t, "fate") {
	case 0:
		c.Discard()
	case 1:
		// No page beyond those that the file has: fails or, rarely, does not.
		m.x.db.MaxSize = 1
		err := c.Write(CheckpointMeta{Index: index, Term: term})
		m.x.db.MaxSize = 0
		_ = err
	default:
		err := c.Write(CheckpointMeta{Index: index, Term: term})
		expect(t, err == nil, "write: %v", err)
	}
}

// Crash goes on with a copy of the file as it is, and the log after it.
func (m *machine) Crash(t *rapid.T) {
	file, err := os.ReadFile(filepath.Join(m.dir, FileName))
	expect(t, err == nil, "copy: %v", err)
	images := filepath.Join(m.dir, imagesFolder)
	dir := m.newDir(t)
	if _, err := os.Stat(images); err == nil && rapid.IntRange(0, 3).Draw(t, "images lost") > 0 {
		err := os.CopyFS(filepath.Join(dir, imagesFolder), os.DirFS(images))
		expect(t, err == nil, "copy: %v", err)
	}
	m.close(t)
	m.dir = dir
	err = os.WriteFile(filepath.Join(m.dir, FileName), file, 0o600)
	expect(t, err == nil, "copy: %v", err)
	m.open(t)
}

func (m *machine) Reopen(t *rapid.T) {
	m.close(t)
	m.open(t)
}

func (m *machine) newDir(t *rapid.T) string {
	dir, err := os.MkdirTemp(m.dirs[0], "index-")
	expect(t, err == nil, "make a directory: %v", err)
	return dir
}

func TestModel(t *testing.T) {
	schema := testSchema(t)
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{
			model: model{
				schemes: map[cairn.UID]cairn.Scheme{modelKeyspaces[0]: cairn.SchemeHash, modelKeyspaces[1]: cairn.SchemeRange},
				schema:  schema,
				entries: map[cairn.UID]map[string]*modelEntry{modelKeyspaces[0]: {}, modelKeyspaces[1]: {}},
				shards:  make(map[cairn.UID][]cairn.Shard), history: make(map[string][]modelWrite), nextID: 1,
			},
			dirs: []string{parent},
			// A map that is too small makes every checkpoint go the way of a
			// file that must grow.
			options: Options{
				MapBytes:     rapid.SampledFrom([]int{0, 1 << 15}).Draw(t, "map"),
				ImageEntries: 5,
				KeysAtOnce:   rapid.SampledFrom([]int{0, 1, 2}).Draw(t, "keys at once"),
				// All keys in memory, none, or until there are too many.
				KeyBytes: rapid.SampledFrom([]int64{0, -1, 1 << 10}).Draw(t, "keys"),
			},
		}
		m.dir = m.newDir(t)
		m.open(t)
		closed := false
		defer func() {
			if !closed { // the test failed: leave nothing behind
				m.readers.stop()
				m.readers.wait.Wait()
				_ = m.x.Close()
			}
		}()
		t.Repeat(map[string]func(*rapid.T){
			"write":      m.Write,
			"assign":     m.Assign,
			"freeze":     m.Freeze,
			"checkpoint": m.Checkpoint,
			"crash":      m.Crash,
			"reopen":     m.Reopen,
			"settle":     m.Settle,
			"install":    m.Install,
			"save views": func(t *rapid.T) { expect(t, m.x.SaveViews() == nil, "save views") },
			"fill views": func(t *rapid.T) { _ = m.x.FillViews(t.Context()) },
			"work":       func(*rapid.T) { m.x.Work() },
			"keep keys":  func(t *rapid.T) { expect(t, m.x.KeepKeys(t.Context()) == nil, "keep keys") },
			"":           func(t *rapid.T) { m.compare(t, m.x) },
		})
		m.close(t)
		closed = true
		_ = os.RemoveAll(m.dir)
	})
}
