package nodeindex

import (
	"slices"
	"testing"

	"cairn"
)

// moveTest is two indexes of one map: the source owns all shards at first, the
// target none.
type moveTest struct {
	source, target *replica
	moving         cairn.MovingShard
	a              cairn.Assignment // the source's
}

const testMove cairn.UID = 0x77

// openMove has shards that the source owns, of which the second is to move.
func openMove(t testing.TB, shards int, options Options, views ...cairn.View) *moveTest {
	t.Helper()
	m := &moveTest{source: openReplica(t, options), target: openReplica(t, options), a: testAssignment(t, cairn.SchemeHash, shards)}
	m.a.Views = views
	m.source.assign(m.a)
	m.target.assign(cairn.Assignment{Revision: 10, Nodes: []cairn.Node{
		{ID: 1, Name: "x", Weight: 1, State: cairn.NodeActive}, {ID: 7, Name: "y", Weight: 1, State: cairn.NodeActive},
	}})
	s := m.a.Shards[min(1, shards-1)]
	m.moving = cairn.MovingShard{Move: testMove, Keyspace: testKeyspace, Shard: s.ID, Epoch: s.Epoch, Start: s.Start, End: s.End}
	return m
}

func (m *moveTest) fence(t testing.TB, number uint64, on bool) cairn.FenceState {
	t.Helper()
	result := m.source.apply(FenceCommand(m.moving, number, on))
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	return result.Fence
}

// stage hands a part to the target.
func (m *moveTest) stage(t testing.TB, part []byte) cairn.Staged {
	t.Helper()
	commands, err := m.target.x.PrepareStage(m.moving, part)
	if err != nil {
		t.Fatal(err)
	}
	var staged cairn.Staged
	for _, command := range commands {
		result := m.target.apply(command)
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		staged = result.Staged
	}
	return staged
}

// copy copies the shard as of a checkpoint.
func (m *moveTest) copy(t testing.TB) {
	t.Helper()
	m.source.checkpoint()
	for staged := (cairn.Staged{}); !staged.Complete; {
		part, err := m.source.x.CopyShard(m.moving, staged.Last)
		if err != nil {
			t.Fatal(err)
		}
		staged = m.stage(t, part.Data)
	}
}

// tail brings the target up to the source's present.
func (m *moveTest) tail(t testing.TB) cairn.Staged {
	t.Helper()
	for {
		staged, _, err := m.target.x.StagedFor(m.moving)
		if err != nil {
			t.Fatal(err)
		}
		part, err := m.source.x.TailShard(m.moving, staged.Through)
		if err != nil {
			t.Fatal(err)
		}
		staged = m.stage(t, part.Data)
		if staged.Through >= m.source.index {
			return staged
		}
	}
}

// commit has the map say that the shard is the target's.
func (m *moveTest) commit(t testing.TB, revision uint64) (source, target cairn.Assignment) {
	t.Helper()
	source = m.a
	source.Revision = revision
	at := slices.IndexFunc(source.Shards, func(s cairn.Shard) bool { return s.ID == m.moving.Shard })
	target = source
	target.Nodes = m.target.x.state.Load().nodes
	moved := source.Shards[at]
	moved.Epoch, moved.Move = revision, m.moving.Move
	target.Shards = []cairn.Shard{moved}
	source.Shards = slices.Delete(slices.Clone(source.Shards), at, at+1)
	if len(source.Shards) == 0 {
		source.Keyspaces, source.Views = nil, nil
	}
	return source, target
}

// inMoving are n keys of the shard that moves.
func (m *moveTest) inMoving(n int) []string {
	k := m.source.x.state.Load().keyspaces[testKeyspace]
	var keys []string
	for i := 0; len(keys) < n; i++ {
		if s := k.locate(cairn.Key(testKey(i)), make([]byte, 0, 16)); s != nil && s.ID == m.moving.Shard {
			keys = append(keys, testKey(i))
		}
	}
	return keys
}

func TestMove(t *testing.T) {
	view := cairn.View{UID: 5, Keyspace: testKeyspace, Name: "large", Version: 1, Filter: "size >= 100", Sort: []cairn.SortField{{Attribute: 2}}}
	m := openMove(t, 4, Options{}, view)
	for i := range 4000 {
		m.source.write(put(testKey(i), size(int64(i))))
	}
	m.copy(t)
	keys := m.inMoving(5)
	before := make(map[string]cairn.Located)
	m.source.write(put(keys[0], size(5000)), remove(keys[1]), put("arrives with the tail"))
	m.tail(t)
	if found := m.target.locate(keys[0]); found.State != cairn.NotOwned {
		t.Fatalf("what is staged is seen: %+v", found)
	}
	if page := m.target.list("", "", 10); len(page.Entries) > 0 {
		t.Fatalf("what is staged is listed: %+v", page.Entries)
	}
	fence := m.fence(t, 1, true)
	if !fence.On || fence.Index != m.source.index {
		t.Fatalf("fenced: %+v", fence)
	}
	if result := m.source.write(put(keys[0])); cairn.ReasonOf(errorOf(result[0])) != "SHARD_FENCED" {
		t.Fatalf("a write of a fenced shard: %+v", result)
	}
	if staged := m.tail(t); staged.Sealed != 1 || staged.Digest != fence.Digest || !staged.Complete {
		t.Fatalf("staged %+v, fence %+v", staged, fence)
	}
	for _, key := range keys {
		before[key] = m.source.locate(key)
	}
	count := func(r *replica) uint64 {
		t.Helper()
		for r.x.Work() {
		}
		if err := r.x.FillViews(t.Context()); err != nil {
			t.Fatal(err)
		}
		var reply cairn.ViewReply
		err := r.x.AskView(&cairn.ViewRequest{Read: cairn.Read{Keyspace: testKeyspace, Level: cairn.Linearizable}, View: view.UID, Version: 1, Asked: cairn.AskCount}, &reply)
		if err != nil {
			t.Fatal(err)
		}
		return reply.Count
	}
	m.target.checkpoint()
	m.source.checkpoint()
	all, none := count(m.source), count(m.target)
	if none != 0 {
		t.Fatalf("the target counts %d before it owns any", none)
	}
	source, target := m.commit(t, 20)
	m.target.assign(target)
	if got := m.target.x.Status(); got.Entries != fence.Digest.Entries || len(got.Withheld)+len(got.Arriving) > 0 {
		t.Fatalf("after activation: %+v", got)
	}
	for _, key := range keys {
		was, is := before[key], m.target.locate(key)
		if is.State != was.State || is.Version != was.Version || string(is.Attributes) != string(was.Attributes) {
			t.Fatalf("%s was %+v, is %+v", key, was, is)
		}
	}
	m.source.assign(source)
	if left, got := count(m.source), count(m.target); left+got != all || got == 0 {
		t.Fatalf("%d counted before, %d and %d after", all, left, got)
	}
	if found := m.source.locate(keys[0]); found.State != cairn.NotOwned {
		t.Fatalf("the source still has %+v", found)
	}
	m.target.write(put(keys[1], size(1)))
	m.target.checkpoint()
	m.source.checkpoint()
}
