package nodeindex

import (
	"errors"
	"maps"
	"os"
	"slices"
	"testing"

	"cairn"
	"cairn/shardmap/placement"

	"pgregory.net/rapid"
)

// moveWorld is two clusters, their map, and movers that come and go: whatever one
// of them sends may be lost, come late, or come again, even after the move is over.
type moveWorld struct {
	clusters [2]*machine
	revision uint64
	shards   []*worldShard
	messages []message
	fences   map[fenceName]bool // as those who set or lifted them were told
	nextMove cairn.UID
	views    []cairn.View
	// first is what became of the writes of requests with ids at first.
	sent  []*cairn.WriteRequest
	first map[requestName]map[uint32]cairn.Written

	compared int
}

// worldShard is a shard by the map, and the record of its move if it has one.
type worldShard struct {
	cairn.Shard
	owner int
	// move is nil while it has none.
	move *moveRecord
	// left is what the shard held when it was committed, until the new owner
	// has activated it.
	left map[string]*modelEntry
}

// moveRecord is what etcd would have of a move.
type moveRecord struct {
	moving cairn.MovingShard
	number uint64
	fenced bool // number n, else catching up
}

// message is something that was sent.
type message struct {
	what   string
	to     int
	moving cairn.MovingShard
	part   []byte
	number uint64
}

func (w *moveWorld) assignment(cluster int) cairn.Assignment {
	a := cairn.Assignment{Revision: w.revision, Nodes: []cairn.Node{
		{ID: 1, Name: "a", Weight: 1, State: cairn.NodeActive}, {ID: 2, Name: "b", Weight: 1, State: cairn.NodeActive},
	}}
	m := w.clusters[cluster]
	for _, uid := range modelKeyspaces {
		owned := false
		for _, s := range w.shards {
			if s.Keyspace == uid && s.owner == cluster {
				owned = true
				a.Shards = append(a.Shards, s.Shard)
			}
		}
		if owned {
			a.Keyspaces = append(a.Keyspaces, cairn.Keyspace{
				UID: uid, Name: "k", Placement: cairn.Placement{Scheme: m.schemes[uid]}, Replicas: 1, Schema: m.schema,
			})
			for _, v := range w.views {
				if v.Keyspace == uid {
					a.Views = append(a.Views, v)
				}
			}
		}
	}
	return a
}

// note has a cluster's log note the map.
func (w *moveWorld) note(t *rapid.T, cluster int) {
	m := w.clusters[cluster]
	a := w.assignment(cluster)
	command, changed := m.x.Diff(a)
	if !changed {
		return
	}
	held := m.shards
	result, index := m.apply(command)
	expect(t, result.Err == nil && result.Revision == w.revision, "assign: %+v", result)
	m.assign(a, index)
	for _, s := range w.shards {
		before := slices.ContainsFunc(held[s.Keyspace], func(each cairn.Shard) bool { return each.ID == s.ID && each.Epoch == s.Epoch })
		if s.owner == cluster && !before && s.left != nil {
			w.activated(t, m, s, index)
		}
	}
	for name := range w.fences { // they end with the shard
		owned := slices.ContainsFunc(m.shards[name.shard.keyspace], func(s cairn.Shard) bool { return s.ID == name.shard.id })
		if name.cluster == cluster && !owned {
			delete(w.fences, name)
		}
	}
	w.refence(cluster)
	expect(t, len(m.x.Status().Withheld) == 0, "withheld: %+v", m.x.Status().Withheld)
}

// activated has the model know what a cluster has got: what the shard held when
// it left, on nodes of the cluster's own.
func (w *moveWorld) activated(t *rapid.T, m *machine, s *worldShard, index uint64) {
	for _, key := range slices.Sorted(maps.Keys(s.left)) {
		var reply cairn.LocateReply
		err := m.x.Locate(&cairn.LocateRequest{Read: cairn.Read{Keyspace: s.Keyspace}, Keys: []cairn.Key{cairn.Key(key)}}, &reply)
		found := reply.Results[0]
		expect(t, err == nil && found.State == cairn.Found && len(found.Nodes) == 1, "key %s has moved, and is %+v, %v", key, found, err)
		was := s.left[key]
		m.set(s.Keyspace, []byte(key), index, &modelEntry{was.version, slices.Clone(found.Nodes), was.attributes})
	}
	s.left = nil
}

// content is what a cluster holds of a shard, by its model.
func (w *moveWorld) content(m *machine, s *worldShard) map[string]*modelEntry {
	out := make(map[string]*modelEntry)
	for key, e := range m.entries[s.Keyspace] {
		if contains(&s.Shard, placement.Key(cairn.Placement{Scheme: m.schemes[s.Keyspace]}, cairn.Key(key), nil)) {
			out[key] = e
		}
	}
	return out
}

// digestOf is the digest of what the model has.
func digestOf(content map[string]*modelEntry) cairn.Digest {
	var h entryHasher
	d := cairn.Digest{Entries: uint64(len(content))}
	for key, e := range content {
		d.Sum += h.hash(&cairn.Entry{Key: cairn.Key(key), Version: e.version, Attributes: cairn.Attributes(e.attributes)})
	}
	return d
}

func (w *moveWorld) shardOf(uid cairn.UID, key cairn.Key) *worldShard {
	at := placement.Key(cairn.Placement{Scheme: w.clusters[0].schemes[uid]}, key, nil)
	for _, s := range w.shards {
		if s.Keyspace == uid && contains(&s.Shard, at) {
			return s
		}
	}
	return nil
}

// Write writes at a cluster, whoever owns the keys; now and then a request that
// was sent before.
func (w *moveWorld) Write(t *rapid.T) {
	cluster := rapid.IntRange(0, 1).Draw(t, "at")
	m := w.clusters[cluster]
	var request *cairn.WriteRequest
	if len(w.sent) > 0 && rapid.IntRange(0, 2).Draw(t, "again") == 0 {
		request = w.sent[len(w.sent)-rapid.IntRange(1, min(len(w.sent), 8)).Draw(t, "which, from the last")]
	} else {
		uid := rapid.SampledFrom(modelKeyspaces).Draw(t, "keyspace")
		request = &cairn.WriteRequest{Keyspace: uid, Mutations: m.mutations(t, uid)}
		if rapid.Bool().Draw(t, "named") {
			request.RequestID = cairn.RequestID{ID: [16]byte{1, byte(len(w.sent)), byte(len(w.sent) >> 8)}, Issued: testTime}
			for i := range request.Mutations {
				request.Mutations[i].Position = uint32(i)
			}
			w.sent = append(w.sent, request)
		}
	}
	result, index := m.apply(m.x.Prepare(testTime, []*cairn.WriteRequest{request}))
	expect(t, result.Err == nil, "apply: %v", result.Err)
	var fresh []cairn.Mutation
	var got []cairn.Written
	known := w.first[nameOf(request.RequestID)]
	for i, out := range result.Requests[0] {
		mutation := request.Mutations[i]
		kind := cairn.KindOf(errorOf(out))
		refused := out.Err != nil && (kind == cairn.KindStale || kind == cairn.KindUnavailable)
		if was, found := known[mutation.Position]; found && !request.RequestID.IsZero() {
			// It took effect once, or never will: wherever it is sent.
			expect(t, refused || sameOutcome(out, was), "at first %+v, then %+v", was, out)
			continue
		}
		fresh, got = append(fresh, mutation), append(got, out)
		if refused {
			continue
		}
		// Whoever decides on a write owns the key by the map, of that moment.
		expect(t, w.shardOf(request.Keyspace, mutation.Key).owner == cluster, "cluster %d, which does not own key %s, decided: %+v", cluster, mutation.Key, out)
		if !request.RequestID.IsZero() {
			if known == nil {
				known = make(map[uint32]cairn.Written)
				w.first[nameOf(request.RequestID)] = known
			}
			known[mutation.Position] = out
		}
	}
	m.write(t, request.Keyspace, fresh, index, got)
}

// settleCheckpoint writes a checkpoint of everything.
func (m *machine) settleCheckpoint(t *rapid.T) {
	if m.frozen != nil {
		m.frozen.Discard()
		m.frozen = nil
	}
	m.checkpoint(t)
}

// install has a cluster go on from the snapshot of another replica.
func (w *moveWorld) install(t *rapid.T, m *machine) {
	twin, err := Open(m.newDir(t), m.options)
	expect(t, err == nil, "open: %v", err)
	twin.db.NoSync = true
	for i, command := range m.log {
		twin.Apply(uint64(i+1), 1, command)
	}
	m.log = append(m.log, nil)
	twin.Apply(uint64(len(m.log)), 1, nil)
	c, err := twin.Freeze()
	expect(t, err == nil, "freeze: %v", err)
	index, term := c.Position()
	expect(t, c.Write(CheckpointMeta{Index: index, Term: term}) == nil, "write")
	path := twin.dir + "/snapshot"
	_, err = twin.WriteSnapshot(path)
	expect(t, err == nil, "snapshot: %v", err)
	// Replicas come to the same, whatever their checkpoints were.
	expect(t, twin.effects.digest == digestAfter(m), "the replicas' digests differ")
	expect(t, twin.Close() == nil, "close")
	content, err := os.ReadFile(path)
	expect(t, err == nil, "read: %v", err)
	in, err := m.x.Receive()
	expect(t, err == nil, "receive: %v", err)
	_, err = in.Write(content)
	expect(t, err == nil, "receive: %v", err)
	_, err = in.Finish()
	expect(t, err == nil && m.x.Install(in) == nil, "install: %v", err)
	expect(t, os.RemoveAll(twin.dir) == nil, "remove")
	m.x.db.NoSync = true
	if m.frozen != nil {
		index, term := m.frozen.Position()
		err := m.frozen.Write(CheckpointMeta{Index: index, Term: term})
		expect(t, errors.Is(err, errSuperseded), "a checkpoint after an install: %v", err)
		m.frozen = nil
	}
}

// digestAfter is the digest that an empty command would lead to.
func digestAfter(m *machine) uint64 {
	e := effects{digested: m.x.effects.digested}
	e.begin(uint64(len(m.log)))
	e.end()
	return e.digest
}

// compare holds both clusters against their models: one of them in full, since
// that takes most of the test's time.
func (w *moveWorld) compare(t *rapid.T) {
	w.compared++
	for i, m := range w.clusters {
		if w.compared%2 == i {
			m.compare(t, m.x)
		}
		for _, k := range m.x.state.Load().keyspaces {
			for _, each := range k.shards {
				s := w.shards[slices.IndexFunc(w.shards, func(s *worldShard) bool { return s.Keyspace == each.Keyspace && s.ID == each.ID })]
				want := digestOf(w.content(m, s))
				expect(t, each.digest() == want, "shard %s has the digest %+v, want %+v", each.ID, each.digest(), want)
			}
		}
	}
}

func newMoveWorld(t *rapid.T, parent string, schema *cairn.Schema) *moveWorld {
	w := &moveWorld{revision: 10, fences: make(map[fenceName]bool), first: make(map[requestName]map[uint32]cairn.Written), nextMove: 100}
	for _, uid := range modelKeyspaces {
		w.views = append(w.views, drawViews(t, uid)...)
	}
	for i := range w.clusters {
		m := &machine{
			model: model{
				schemes: map[cairn.UID]cairn.Scheme{modelKeyspaces[0]: cairn.SchemeHash, modelKeyspaces[1]: cairn.SchemeRange},
				schema:  schema, fenced: make(map[shardName]bool),
				entries: map[cairn.UID]map[string]*modelEntry{modelKeyspaces[0]: {}, modelKeyspaces[1]: {}},
				shards:  make(map[cairn.UID][]cairn.Shard), history: make(map[string][]modelWrite),
			},
			dirs: []string{parent},
			options: Options{
				ImageEntries: 5,
				KeysAtOnce:   rapid.SampledFrom([]int{0, 1}).Draw(t, "keys at once"),
				MapBytes:     rapid.SampledFrom([]int{0, 1 << 15}).Draw(t, "map"),
				KeyBytes:     rapid.SampledFrom([]int64{0, -1}).Draw(t, "keys"),
			},
		}
		w.clusters[i] = m
		m.dir = m.newDir(t)
		m.open(t)
	}
	for _, uid := range modelKeyspaces {
		for i := range 3 {
			s := cairn.Shard{Keyspace: uid, ID: cairn.ShardID(i + 1), Epoch: 10}
			if i > 0 {
				s.Start = w.clusters[0].bound(uid, 7*i)
			}
			if i < 2 {
				s.End = w.clusters[0].bound(uid, 7*(i+1))
			}
			w.shards = append(w.shards, &worldShard{Shard: s, owner: rapid.IntRange(0, 1).Draw(t, "owner")})
		}
	}
	for cluster := range w.clusters {
		w.note(t, cluster)
	}
	return w
}

func TestMoveModel(t *testing.T) {
	schema := testSchema(t)
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		w := newMoveWorld(t, parent, schema)
		closed := false
		defer func() {
			if !closed { // the test failed: leave nothing behind
				for _, m := range w.clusters {
					m.readers.stop()
					m.readers.wait.Wait()
					_ = m.x.Close()
				}
			}
		}()
		each := func(do func(*machine, *rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) { do(w.clusters[rapid.IntRange(0, 1).Draw(t, "cluster")], t) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": w.Write, "write more": w.Write,
			"begin": w.Begin, "copy": w.Copy, "copy more": w.Copy, "tail": w.Tail, "tail more": w.Tail,
			"fence": w.Fence, "unfence": w.Unfence, "cancel": w.Cancel, "commit": w.Commit, "again": w.Again,
			"all": w.All, "repeat": w.Repeat, "repeat more": w.Repeat,
			"note":       func(t *rapid.T) { w.note(t, rapid.IntRange(0, 1).Draw(t, "cluster")) },
			"mark":       each((*machine).Mark),
			"freeze":     each((*machine).Freeze),
			"checkpoint": each((*machine).Checkpoint),
			"crash":      each((*machine).Crash),
			"reopen":     each((*machine).Reopen),
			"settle":     each((*machine).Settle),
			"install":    each(func(m *machine, t *rapid.T) { w.install(t, m) }),
			"save views": each(func(m *machine, t *rapid.T) { expect(t, m.x.SaveViews() == nil, "save views") }),
			"work":       each(func(m *machine, _ *rapid.T) { m.x.Work() }),
			"":           w.compare,
		})
		for _, m := range w.clusters {
			m.close(t)
		}
		closed = true
		for _, m := range w.clusters {
			_ = os.RemoveAll(m.dir)
		}
	})
}
