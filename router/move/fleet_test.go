package move_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// fleet is a map in memory and two indexes for drivers to work on. Each call that
// a driver makes is a step, of which one can be its last.
type fleet struct {
	t *testing.T

	mu      sync.Mutex // guards all below
	m       *shardmap.Map
	changed map[chan struct{}]struct{}
	sides   map[cairn.UID]*side
	steps   []string
	// At step number crashAt, crash is called, once: before the step, which then
	// does not happen, or after it.
	crashAt    int
	crashAfter bool
	crash      func()
	// busy has every call take long, and every look at what has changed find a lot.
	busy bool
	// cut has no change be kept for who copies.
	cut bool
	// apart has no tail come with a fence.
	apart bool
	// deaf has the target drop nothing.
	deaf bool
	// slow is how long all parts of a copy take but the first and the last.
	slow time.Duration
	// sluggish is how long the target takes for what it is to stage.
	sluggish time.Duration
	// building has the target make its views.
	building bool
	// data is the data mover, if the keyspace names it.
	data dataMover
	// wrong is by how much the source's digest differs from the target's.
	wrong uint64
}

// side is one index: what it has of the shard is a number of writes.
type side struct {
	f       *fleet
	cluster cairn.UID
	log     uint64
	count   uint64
	fences  map[cairn.UID]cairn.FenceState
	staged  map[cairn.UID]cairn.Staged
	arrives map[cairn.ShardID]cairn.UID // of what is staged, whose
	served  uint64                      // the map revision noted last
	kept    map[cairn.UID]bool          // what moves have left, by their names
	rules   map[cairn.UID]*cairn.Relocation
}

const (
	north cairn.UID = 1
	south cairn.UID = 2
	parts           = 3 // of a copy
)

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, changed: map[chan struct{}]struct{}{}, sides: map[cairn.UID]*side{}, crashAt: -1}
	var clusters []*catalog.Cluster
	for uid, name := range map[cairn.UID]string{north: "north", south: "south"} {
		clusters = append(clusters, &catalog.Cluster{UID: uid, Name: name, Weight: 1, NextNode: 2, Revision: 1, Nodes: []cairn.Node{{ID: 1, Name: "a", Weight: 1, State: cairn.NodeActive}}})
		f.sides[uid] = &side{f: f, cluster: uid, fences: map[cairn.UID]cairn.FenceState{}, staged: map[cairn.UID]cairn.Staged{}, arrives: map[cairn.ShardID]cairn.UID{}, kept: map[cairn.UID]bool{}, rules: map[cairn.UID]*cairn.Relocation{}}
	}
	f.sides[north].log, f.sides[north].count = 7, 100
	k := &catalog.Keyspace{
		Keyspace: cairn.Keyspace{UID: keyspace, Name: "things", Placement: cairn.Placement{Scheme: cairn.SchemeHash}, Replicas: 1, Schema: &cairn.Schema{}},
		Revision: 1, ModRevision: 1, Generation: 1, NextShard: 3, Mover: catalog.MoverExternal,
	}
	declared, err := catalog.New([]*catalog.Keyspace{k}, clusters, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b shardmap.Builder
	half := []byte{0x80, 0, 0, 0, 0, 0, 0, 0}
	b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: keyspace, ID: 1, End: half, Epoch: 1}, Cluster: north, Revision: 1})
	b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: keyspace, ID: 2, Start: half, Epoch: 1}, Cluster: north, Revision: 1})
	if f.m, err = b.Build(1, declared); err != nil {
		t.Fatal(err)
	}
	return f
}

// start begins to move a shard to the other cluster.
func (f *fleet) start(shard cairn.ShardID) cairn.UID {
	f.t.Helper()
	return f.begin(shardmap.MoveRequest{Keyspace: keyspace, Shard: shard, To: south})
}

func (f *fleet) begin(request shardmap.MoveRequest) cairn.UID {
	f.t.Helper()
	change, begun, err := shardmap.StartMove(f.Map(), request, time.Now())
	if err == nil {
		_, err = f.commit(change)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return begun.UID
}

func (f *fleet) move(uid cairn.UID) shardmap.Move {
	record, _ := f.Map().Move(uid)
	return record
}

// drive runs a driver until the returned function is called.
func (f *fleet) drive(config move.Config) (stop func()) {
	config.Store, config.Dial = f, f.dial
	config.DialData = func(string) (move.Data, func(), error) { return &f.data, func() {}, nil }
	ctx, cancel := context.WithCancel(context.Background())
	f.mu.Lock()
	f.crash = cancel
	f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		move.NewDriver(config).Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// step is one call of a driver. It is false if the driver dies before.
func (f *fleet) step(what string) (happens bool, end func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, what)
	died := cairn.Errorf(cairn.KindUnavailable, "DIED", "the driver died at %s", what)
	if len(f.steps)-1 != f.crashAt {
		return true, func() error { return nil }
	}
	if !f.crashAfter {
		f.crash()
		return false, func() error { return died }
	}
	return true, func() error {
		f.crash()
		return died
	}
}

// did runs what a call does as one step.
func (f *fleet) did(what string, do func() error) error {
	happens, end := f.step(what)
	if happens {
		f.mu.Lock()
		err := do()
		f.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return end()
}

func (f *fleet) Map() *shardmap.Map {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.m
}

func (f *fleet) Refresh(context.Context) (*shardmap.Map, error) { return f.Map(), nil }

func (f *fleet) Subscribe() (<-chan struct{}, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan struct{}, 1)
	f.changed[c] = struct{}{}
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.changed, c)
	}
}

func (f *fleet) Commit(_ context.Context, change shardmap.Change) (revision uint64, err error) {
	what := "swap"
	if len(change.Moves) > 0 {
		what += " to " + change.Moves[0].Put.Phase.String()
	}
	happens, end := f.step(what)
	if happens {
		if revision, err = f.commit(change); err != nil {
			return 0, err
		}
	}
	return revision, end()
}

func (f *fleet) commit(change shardmap.Change) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	conflict := cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "it changed meanwhile")
	for _, c := range change.Moves {
		if now, _ := f.m.Move(c.UID); now.Revision != c.Expected {
			return 0, conflict
		}
	}
	for _, c := range change.Shards {
		if now, _ := f.m.Shard(c.Keyspace, c.ID); now.Revision != c.Expected {
			return 0, conflict
		}
	}
	update, err := change.Update(f.m.Revision()+1, f.m.Catalog())
	if err == nil {
		f.m, err = f.m.Apply(update)
	}
	if err != nil {
		return 0, err
	}
	for c := range f.changed {
		select {
		case c <- struct{}{}:
		default: // it has yet to look
		}
	}
	return update.Revision, nil
}

func (f *fleet) dial(c *catalog.Cluster) (move.Index, func(), error) {
	return f.sides[c.UID], func() {}, nil
}

func (x *side) CopyShard(_ context.Context, s cairn.MovingShard, after []byte, deliver func(cairn.CopiedPart) error) error {
	for n := len(after); n < parts; n++ {
		x.f.work()
		if n > 0 && n+1 < parts {
			time.Sleep(x.f.slow)
		}
		var part cairn.CopiedPart
		err := x.f.did("copy", func() error {
			part = cairn.CopiedPart{Index: x.log, Last: make([]byte, n+1), Done: n+1 == parts}
			part.Data = fmt.Appendf(nil, "copy %d %d %d %t", n, part.Index, x.count, part.Done)
			return nil
		})
		if err == nil {
			err = deliver(part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *side) TailShard(ctx context.Context, s cairn.MovingShard, after uint64) (part cairn.TailPart, err error) {
	err = x.f.did("tail", func() error {
		if x.f.cut {
			return cairn.Errorf(cairn.KindCompacted, "STAMP_COMPACTED", "the changes are not kept")
		}
		if after == 0 {
			part = cairn.TailPart{Through: x.log, Data: fmt.Appendf(nil, "kept %d %d %d", s.Kept, x.log, x.count)}
			return nil
		}
		part = x.tailLocked(s, after)
		if x.f.busy {
			part.Data = append(part.Data, make([]byte, 65<<10)...)
		}
		return nil
	})
	x.f.work()
	return part, err
}

func (x *side) tailLocked(s cairn.MovingShard, after uint64) cairn.TailPart {
	seal := uint64(0)
	if fence := x.fences[s.Move]; fence.On {
		seal = fence.Number
	}
	return cairn.TailPart{Through: x.log, Data: fmt.Appendf(nil, "tail %d %d %d %d", after, x.log, x.count, seal)}
}

// work takes time if the fleet is busy.
func (f *fleet) work() {
	f.mu.Lock()
	busy := f.busy
	f.mu.Unlock()
	if busy {
		time.Sleep(100 * time.Millisecond)
	}
}

func (x *side) FenceShard(_ context.Context, s cairn.MovingShard, number uint64, on bool) (state cairn.FenceState, err error) {
	what := "unfence"
	if on {
		what = "fence"
	}
	err = x.f.did(what, func() error {
		last := x.fences[s.Move]
		if number > last.Number || number == last.Number && !on {
			x.log++
			last = cairn.FenceState{Number: number, On: on, Index: x.log}
		}
		last.Digest = cairn.Digest{Entries: x.count, Sum: x.count + x.f.wrong}
		x.fences[s.Move], state = last, last
		x.rules[s.Move] = s.Relocation
		return nil
	})
	return state, err
}

func (x *side) FenceTail(ctx context.Context, s cairn.MovingShard, number, after uint64) (state cairn.FenceState, tail cairn.TailPart, err error) {
	if state, err = x.FenceShard(ctx, s, number, true); err != nil {
		return state, tail, err
	}
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	if !x.f.apart && !x.f.cut {
		tail = x.tailLocked(s, after)
	}
	return state, tail, nil
}

func (f *fleet) making() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.building
}

func (x *side) StageShard(_ context.Context, s cairn.MovingShard, part []byte) (staged cairn.Staged, err error) {
	x.f.mu.Lock()
	sluggish := x.f.sluggish
	x.f.mu.Unlock()
	time.Sleep(sluggish)
	err = x.f.did("stage", func() error {
		staged = x.staged[s.Move]
		if x.arrives[s.Shard] != 0 && x.arrives[s.Shard] != s.Move {
			return cairn.Errorf(cairn.KindPrecondition, "RANGE_ARRIVING", "another move's entries are there")
		}
		x.arrives[s.Shard] = s.Move
		var kept cairn.UID
		if _, err := fmt.Sscanf(string(part), "kept %d %d %d", &kept, &staged.Through, &staged.Digest.Sum); err == nil {
			if !x.kept[kept] {
				return cairn.Errorf(cairn.KindPrecondition, "NOTHING_KEPT", "nothing is kept")
			}
			delete(x.kept, kept)
			staged.Copied, staged.Complete, staged.Digest.Entries = staged.Through, true, staged.Digest.Sum
			x.staged[s.Move] = staged
			return nil
		}
		var n int
		var done bool
		var from, to, count, seal uint64
		if _, err := fmt.Sscanf(string(part), "copy %d %d %d %t", &n, &to, &count, &done); err == nil {
			if n == len(staged.Last) {
				if n == 0 {
					staged.Copied, staged.Through = to, to
				}
				staged.Last, staged.Complete = make([]byte, n+1), done
			}
		} else if _, err := fmt.Sscanf(string(part), "tail %d %d %d %d", &from, &to, &count, &seal); err != nil {
			return err
		} else if from > staged.Through || !staged.Complete {
			return cairn.Errorf(cairn.KindConflict, "TAIL_GAP", "%d is not %d", from, staged.Through)
		} else if to > staged.Through {
			staged.Through, staged.Digest, staged.Sealed = to, cairn.Digest{Entries: count, Sum: count}, 0
			if x.f.wrong == 0 {
				staged.Sealed = seal
			}
		}
		x.staged[s.Move] = staged
		return nil
	})
	staged.Building = x.f.making()
	return staged, err
}

func (x *side) StagedShard(_ context.Context, s cairn.MovingShard) (staged cairn.Staged, err error) {
	err = x.f.did("ask", func() error {
		staged = x.staged[s.Move]
		return nil
	})
	staged.Building = x.f.making()
	return staged, err
}

func (x *side) DropShard(_ context.Context, s cairn.MovingShard) error {
	return x.f.did("drop", func() error {
		if x.f.deaf {
			return cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "the target does not answer")
		}
		delete(x.staged, s.Move)
		delete(x.kept, s.Move)
		if x.arrives[s.Shard] == s.Move {
			delete(x.arrives, s.Shard)
		}
		return nil
	})
}

func (x *side) NoteRevision(_ context.Context, revision uint64) error {
	return x.f.did("note", func() error {
		x.served = max(x.served, revision)
		return nil
	})
}

// settled fails the test unless a move has ended as it should.
func (f *fleet) settled(uid cairn.UID, phase shardmap.MovePhase) {
	f.t.Helper()
	record := f.move(uid)
	f.mu.Lock()
	defer f.mu.Unlock()
	shard, _ := f.m.Shard(keyspace, record.Shard)
	if record.Phase != phase || !record.Clean {
		f.t.Fatalf("%s, clean %t, problem %q, after %v", record, record.Clean, record.Problem, f.steps)
	}
	to, from := f.sides[south], f.sides[north]
	if phase == shardmap.MoveDone {
		if staged := to.staged[shard.Move]; shard.Cluster != south || staged.Sealed == 0 || staged.Digest.Sum != from.count || to.served < shard.Epoch {
			f.t.Errorf("%s, with %+v staged and map %d noted; the source has %d", shard, staged, to.served, from.count)
		}
		return
	}
	fenced := slices.ContainsFunc(mapValues(from.fences), func(s cairn.FenceState) bool { return s.On })
	if shard.Cluster != north || fenced || len(to.staged) > 0 {
		f.t.Errorf("%s, fenced %t, with %+v staged", shard, fenced, to.staged)
	}
}

func mapValues[K comparable, V any](of map[K]V) (out []V) {
	for _, v := range of {
		out = append(out, v)
	}
	return out
}
