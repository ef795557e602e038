package nodeindex

import (
	"os"
	"path/filepath"
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

// TestFirstShardArrivesWithItsViews moves the first shard of a keyspace to an index: its
// views are answered as soon as it is there, and are not made of entries first.
func TestFirstShardArrivesWithItsViews(t *testing.T) {
	view := cairn.View{UID: 5, Keyspace: testKeyspace, Name: "large", Version: 1, Filter: "size >= 100", Sort: []cairn.SortField{{Attribute: 2}}}
	m := openMove(t, 1, Options{}, view)
	for i := range 1000 {
		m.source.write(put(testKey(i), size(int64(i))))
	}
	m.copy(t)
	m.fence(t, 1, true)
	m.tail(t)
	_, target := m.commit(t, 20)
	m.target.assign(target)
	var reply cairn.ViewReply
	err := m.target.x.AskView(&cairn.ViewRequest{Read: cairn.Read{Keyspace: testKeyspace, Level: cairn.Linearizable}, View: view.UID, Version: 1, Asked: cairn.AskCount}, &reply)
	if err != nil || reply.Count != 900 {
		t.Errorf("the view has %d entries, error %v; want 900", reply.Count, err)
	}
}

// TestStagedSaysThatViewsAreMade restarts the target in the midst of an arrival: until its
// views are made again, whoever asks is told that they would have no answers.
func TestStagedSaysThatViewsAreMade(t *testing.T) {
	view := cairn.View{UID: 5, Keyspace: testKeyspace, Name: "large", Version: 1, Filter: "size >= 100"}
	m := openMove(t, 1, Options{}, view)
	for i := range 1000 {
		m.source.write(put(testKey(i), size(int64(i))))
	}
	m.copy(t)
	building := func() bool {
		t.Helper()
		staged, _, err := m.target.x.StagedFor(m.moving)
		if err != nil || !staged.Complete || staged.Building != m.target.x.ViewsBuilding(testKeyspace) {
			t.Fatalf("staged %+v, error %v", staged, err)
		}
		return staged.Building
	}
	if building() {
		t.Error("views that came with the shard are being made")
	}
	m.target.checkpoint()
	m.target.close()
	m.target.open(Options{})
	if !building() {
		t.Error("after a restart views are there before they are made")
	}
	if err := m.target.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	if building() {
		t.Error("views that are made are being made")
	}
}

// TestNothingPartialIsServed has the map say that a shard is the target's before
// all of it is there.
func TestNothingPartialIsServed(t *testing.T) {
	for name, prepare := range map[string]func(*moveTest){
		"nothing staged": func(*moveTest) {},
		"a part of the copy": func(m *moveTest) {
			m.source.checkpoint()
			part, err := m.source.x.CopyShard(m.moving, nil)
			if err != nil || part.Done {
				t.Fatalf("done %v, %v", part.Done, err)
			}
			m.stage(t, part.Data)
		},
		"the copy without its tail": func(m *moveTest) { m.copy(t) },
		"sealed, and written since": func(m *moveTest) {
			m.copy(t)
			m.fence(t, 1, true)
			if staged := m.tail(t); staged.Sealed != 1 {
				t.Fatalf("%+v", staged)
			}
			m.fence(t, 1, false)
			m.source.write(put(m.inMoving(1)[0], size(7)))
			if staged := m.tail(t); staged.Sealed != 0 {
				t.Fatalf("%+v", staged)
			}
		},
		"dropped": func(m *moveTest) {
			m.copy(t)
			m.fence(t, 1, true)
			m.tail(t)
			m.target.apply(DropCommand(m.moving))
		},
		"a seal that does not fit": func(m *moveTest) {
			m.copy(t)
			fence := m.fence(t, 1, true)
			p := piece{kind: pieceTail, from: 1, index: fence.Index, seal: pieceSeal{number: 1, digest: fence.Digest}}
			p.seal.digest.Sum++
			if staged := m.stage(t, appendPiece(nil, &p)); staged.Sealed != 0 || staged.Through != fence.Index {
				t.Fatalf("%+v", staged)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := openMove(t, 1, Options{})
			var mutations []cairn.Mutation
			for i := range 10_000 {
				mutations = append(mutations, put(testKey(i), name100))
			}
			m.source.write(mutations...)
			prepare(m)
			_, target := m.commit(t, 20)
			m.target.assign(target)
			for range 2 {
				status := m.target.x.Status()
				if len(status.Withheld) != 1 || status.Withheld[0].Shard != m.moving.Shard || len(status.Shards) > 0 || status.Entries > 0 {
					t.Fatalf("status %+v", status)
				}
				if found := m.target.locate(testKey(1)); found.State != cairn.NotOwned {
					t.Fatalf("found %+v", found)
				}
				if written := m.target.write(put(testKey(1))); cairn.ReasonOf(errorOf(written[0])) != "NOT_OWNED" {
					t.Fatalf("written %+v", written)
				}
				if page := m.target.list("", "", 1); len(page.Entries) > 0 || page.Fingerprint != 0 {
					t.Fatalf("listed %+v", page)
				}
				if _, changed := m.target.x.Diff(target); changed {
					t.Fatal("the assignment is not noted")
				}
				// A start goes on like that.
				m.target.checkpoint()
				index := m.target.index
				m.target.close()
				m.target.open(Options{})
				m.target.index = index
			}
		})
	}
}

var name100 = name("a name that makes an entry so long that ten thousand of them are more than one part has")

// TestAnotherAttempt has the source lose what a tail is made of, so that the copy
// begins anew. What comes late of the first attempt does nothing.
func TestAnotherAttempt(t *testing.T) {
	m := openMove(t, 1, Options{})
	for i := range 20 {
		var mutations []cairn.Mutation
		for j := range 1000 {
			mutations = append(mutations, put(testKey(1000*i+j), name100))
		}
		command := m.source.x.Prepare(testTime, []*cairn.WriteRequest{named(byte(i+1), 0, mutations...)})
		if result := m.source.apply(command); result.Err != nil {
			t.Fatal(result.Err)
		}
	}
	m.source.checkpoint()
	part, err := m.source.x.CopyShard(m.moving, nil)
	if err != nil || part.Done {
		t.Fatalf("done %v, %v", part.Done, err)
	}
	staged := m.stage(t, part.Data)
	before := staged.Digest.Entries
	m.source.write(remove(testKey(1)), put(testKey(2), size(2)))
	m.source.checkpoint()
	index := m.source.index
	m.source.close()
	if err := os.RemoveAll(filepath.Join(m.source.dir, changesName)); err != nil {
		t.Fatal(err)
	}
	m.source.open(Options{})
	m.source.index = index
	if _, err := m.source.x.TailShard(m.moving, staged.Through); cairn.ReasonOf(err) != "STAMP_COMPACTED" {
		t.Fatalf("a tail of changes that are lost: %v", err)
	}
	m.moving.Attempt++
	if staged, _, err := m.target.x.StagedFor(m.moving); err != nil || staged.Copied != 0 {
		t.Fatalf("%+v, %v", staged, err)
	}
	m.copy(t)
	fence := m.fence(t, 1, true)
	if staged := m.tail(t); staged.Sealed != 1 || staged.Digest != fence.Digest || staged.Digest.Entries <= before {
		t.Fatalf("%+v, %+v", staged, fence)
	}
	late := m.moving
	late.Attempt--
	commands, err := m.target.x.PrepareStage(late, part.Data)
	if err != nil {
		t.Fatal(err)
	}
	if result := m.target.apply(commands[0]); cairn.ReasonOf(result.Err) != "ATTEMPT_OVER" {
		t.Fatalf("a part of an attempt that is over: %+v", result)
	}
	if result := m.target.apply(DropCommand(late)); result.Err != nil {
		t.Fatal(result.Err)
	}
	if staged, _, err := m.target.x.StagedFor(m.moving); err != nil || staged.Sealed != 1 {
		t.Fatalf("after a late drop: %+v, %v", staged, err)
	}
}

// TestCopyGoesOnAtAnotherReplica hands a cursor of one replica of the source to
// another, which has other ordinals.
func TestCopyGoesOnAtAnotherReplica(t *testing.T) {
	m := openMove(t, 1, Options{})
	twin := openReplica(t, Options{})
	twin.assign(m.a)
	both := func(command []byte) {
		t.Helper()
		for _, r := range []*replica{m.source, twin} {
			if result := r.apply(command); result.Err != nil {
				t.Fatal(result.Err)
			}
		}
	}
	write := func(id byte, mutations ...cairn.Mutation) {
		t.Helper()
		both(m.source.x.Prepare(testTime, []*cairn.WriteRequest{named(id, 0, mutations...)}))
	}
	write(1, put("one that goes"), put("another"))
	write(2, remove("one that goes"))
	twin.checkpoint() // here its ordinal is free again
	for i := range 20 {
		var mutations []cairn.Mutation
		for j := range 1000 {
			mutations = append(mutations, put(testKey(1000*i+j), name100))
		}
		write(byte(i+3), mutations...)
	}
	m.source.checkpoint()
	part, err := m.source.x.CopyShard(m.moving, nil)
	if err != nil || part.Done {
		t.Fatalf("done %v, %v", part.Done, err)
	}
	staged := m.stage(t, part.Data)
	write(50, remove(testKey(1)), put(testKey(2), size(2)), remove(testKey(15_000)))
	m.source = twin
	for twin.checkpoint(); !staged.Complete; {
		if part, err = twin.x.CopyShard(m.moving, staged.Last); err != nil {
			t.Fatal(err)
		}
		staged = m.stage(t, part.Data)
	}
	fence := m.fence(t, 1, true)
	if staged = m.tail(t); staged.Sealed != 1 || staged.Digest != fence.Digest || staged.Digest.Entries != 19_999 {
		t.Fatalf("%+v, %+v", staged, fence)
	}
	_, target := m.commit(t, 20)
	m.target.assign(target)
	again := named(1, 0, put("one that goes"), put("another"))
	result := m.target.apply(m.target.x.Prepare(testTime, []*cairn.WriteRequest{again}))
	if result.Requests[0][0].Version.Index != 2 || m.target.locate("one that goes").State != cairn.Absent {
		t.Fatalf("a request that was carried out before the move: %+v", result.Requests[0])
	}
}
