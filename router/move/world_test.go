package move_test

import (
	"fmt"
	"slices"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
)

// The world of the exploration: an etcd reduced to one record and one shard under
// compare-and-swap, two indexes with one replica each, movers that crash, and a
// network that delays, loses and repeats. A world is a value; every rule is a
// function from one to others.
//
// The shard has one entry. Writing it counts up, so that what an index has is
// right where its count is that of the acknowledged writes; requests' ids are
// counted beside. Records, states and actions are kept in tables and are numbers
// in a world, which so is small and quickly compared.

const (
	clusters  = 2
	movers    = 2
	stagings  = 4 // by name: stagingBase, stagingBase+1, ...
	netSize   = 5
	stageBase = cairn.UID(0x100)
	keyspace  = cairn.UID(0x7)
)

func cluster(i uint8) cairn.UID { return cairn.UID(i) + 1 }
func place(c cairn.UID) uint8   { return uint8(c - 1) }
func slot(s cairn.UID) int      { return int(s - stageBase) }

type world struct {
	revision uint8
	// record is the move that goes on or was last, older the record before.
	record, older int32
	owner, epoch  uint8
	by            uint8 // staging slot + 1 by which the owner got it, 0 none
	names         uint8 // how many stagings were named

	acked uint8
	index [clusters]index
	mover [movers]mover
	net   [netSize]message // sorted; empty ones last

	data dataWorld

	// What may yet happen.
	writes, faults, late, cancels, reverses, compactions, renews uint8
}

type index struct {
	owns            bool
	epoch, by       uint8
	value, requests uint8
	log             uint8 // its last index
	compacted       uint8 // the log is gone up to here
	fences          [stagings]fence
	// since is the log index at which it got the shard, with what it had then.
	since, sinceValue, sinceRequests uint8
	// kept is what it had when a move took the shard away.
	kept kept
	// lost: it was given a shard that it had not, or not all of.
	lost   bool
	staged [stagings]staging
}

type kept struct{ by, value, requests uint8 }

type fence struct {
	number uint8
	on     bool
	at     uint8 // the log index of what set it
}

func (x index) fenced() bool {
	return slices.ContainsFunc(x.fences[:], func(f fence) bool { return f.on })
}

type staging struct {
	copied, through uint8
	complete        bool
	sealed          uint8
	value, requests uint8
}

type mover struct {
	alive bool
	state int32
	// waits: an answer is to come, of the message that is live.
	waits bool
	// tail is what came with a fence, through 0 for nothing. The next Tail hands it on.
	tail part
	// turns is how often the mover may yet act. The first always may.
	turns uint8
}

type message struct {
	here   bool
	live   bool // its sender waits for the answer
	from   uint8
	action int32
	move   int32 // the record that the sender acts by
	// part is of a Copy or Tail what is handed to the target, of a PutFence has after what
	// the tail is asked for with it, 0 for none.
	part part
}

// part is what a source hands to a target.
type part struct {
	copy, adopts    bool
	after, through  uint8
	seal            uint8
	value, requests uint8
	// Of what is adopted: what the source had when it got that.
	sinceValue, sinceRequests uint8
}

// tables number what is large. They are the rules' as well: how to decide, and
// what is broken on purpose.
type tables struct {
	records table[shardmap.Move]
	states  table[move.State]
	actions table[move.Action]
	flaw    flaw
}

// flaw is what is done wrong on purpose; the exploration must find each out.
type flaw struct {
	// decide stands between the machine and the world.
	decide func(s move.State, a move.Action) move.Action
	// fences are not numbered, parts taken in any order, requests left behind.
	unnumbered, unordered, forgetful bool
	// lossy parts lack a write, which verifying must find out.
	lossy bool
	// Of the data mover: calls take effect whatever their revision, fences end by
	// themselves, and beginning anew ends them.
	tokenless, lapsing, careless bool
}

type table[T comparable] struct {
	all   []T
	place map[T]int32
}

func (t *table[T]) put(v T) int32 {
	if at, found := t.place[v]; found {
		return at
	}
	if t.place == nil {
		t.place = map[T]int32{}
	}
	t.all = append(t.all, v)
	t.place[v] = int32(len(t.all) - 1)
	return t.place[v]
}

// budget is how often what may happen: writes, faults, fences that stand too long,
// moves that are cancelled, moves back, logs that are cut, epochs that are renewed.
// Turns are those of the second mover. With
// values, a data mover moves those, and there are so many writes of them; forgets are
// how often it loses what it has noted.
type budget struct {
	writes, faults, late, cancels, reverses, compactions, renews, turns uint8
	values, forgets                                                     uint8
	// within has the entry change nodes inside the first cluster, by moves to itself.
	within bool
}

func (x *tables) begin(b budget) world {
	w := world{revision: 2, epoch: 1, names: 1, writes: b.writes, faults: b.faults, late: b.late, cancels: b.cancels, reverses: b.reverses, compactions: b.compactions, renews: b.renews}
	w.index[0] = index{owns: true, epoch: 1, log: 1}
	w.data = dataWorld{within: b.within, here: b.values > 0, writes: b.values, forgets: b.forgets, located: [clusters]uint8{1}}
	w.record = x.records.put(x.plan(&w))
	w.older = w.record
	w.mover[0] = mover{alive: true, state: x.states.put(move.State{Move: x.records.all[w.record]})}
	w.mover[1].turns = b.turns
	return w
}

func (x *tables) plan(w *world) shardmap.Move {
	var kept cairn.UID
	if len(x.records.all) > 0 {
		if before := x.records.all[w.record]; before.Phase == shardmap.MoveDone && !before.Clean { // it may, or may have forgotten
			kept = before.Staging
		}
	}
	to, relocation := 1-w.owner, shardmap.Relocation("")
	if w.data.within {
		to, kept = w.owner, 0
		relocation = leavesNode[w.data.home]
	}
	return shardmap.Move{
		Relocation: relocation,
		Kept:       kept,
		UID:        cairn.UID(0x50) + cairn.UID(w.names), Keyspace: keyspace, Shard: 1, Epoch: uint64(w.epoch), From: cluster(w.owner), To: cluster(to),
		Phase: shardmap.MovePreparing, Attempt: 1, Staging: stageBase + cairn.UID(w.names-1), Revision: uint64(w.revision),
	}
}

// step is one of the worlds that follow, and what led there.
type step struct {
	label string
	world world
}

// next are all worlds that follow.
func (x *tables) next(w world) (out []step) {
	add := func(w world, format string, args ...any) {
		w.sort()
		out = append(out, step{fmt.Sprintf(format, args...), w})
	}
	for i := range w.mover {
		x.nextOfMover(w, uint8(i), add)
	}
	for i := range w.net {
		if w.net[i].here {
			x.nextOfMessage(w, i, add)
		}
	}
	for c := range w.index {
		at := w.index[c]
		if w.writes > 0 && at.owns && !at.fenced() {
			after := w
			after.writes--
			after.acked++
			to := &after.index[c]
			to.log++
			to.value++
			to.requests++
			add(after, "a write at %d", c)
		}
		if after := w; after.assign(uint8(c)) {
			add(after, "%d notes the map", c)
		}
	}
	w.nextOfData(add)
	record := x.records.all[w.record]
	if w.cancels > 0 && record.Phase < shardmap.MoveCommitted && !record.Cancel {
		after := w
		after.cancels--
		record.Cancel = true
		x.put(&after, record)
		add(after, "an operator cancels")
	}
	if w.reverses > 0 && record.Phase == shardmap.MoveDone {
		after := w
		after.reverses--
		after.revision++
		after.names++
		after.record = x.records.put(x.plan(&after))
		after.older = after.record
		after.forgetLive(0)
		after.mover[0] = mover{alive: true, state: x.states.put(move.State{Move: x.records.all[after.record]})}
		add(after, "an operator moves it back")
	}
	// An index that is restored after a relocation was committed has the nodes of before.
	if w.renews > 0 && (!w.data.within || record.Phase < shardmap.MoveCommitted) {
		after := w
		after.renews--
		after.revision++
		after.epoch = after.revision
		add(after, "the shard gets another epoch, as after a restore")
	}
	if from := &w.index[place(record.From)]; w.compactions > 0 && from.owns && from.compacted < from.log {
		after := w
		after.compactions--
		after.index[place(record.From)].compacted = from.log
		add(after, "the source's log is cut")
	}
	return out
}

// put makes a record that of the next revision.
func (x *tables) put(w *world, record shardmap.Move) {
	w.revision++
	record.Revision = uint64(w.revision)
	w.older = w.record
	w.record = x.records.put(record)
}

// nextOfMover is what a mover does by itself.
func (x *tables) nextOfMover(w world, i uint8, add func(world, string, ...any)) {
	m := w.mover[i]
	if i > 0 && m.turns == 0 && !m.waits {
		return
	}
	if !m.alive {
		for _, seen := range []int32{w.record, w.older} { // a plain read may be old
			after := w
			after.mover[i].alive, after.mover[i].state = true, x.states.put(move.State{Move: x.records.all[seen]})
			add(after, "mover %d starts by revision %d", i, x.records.all[seen].Revision)
		}
		return
	}
	if w.faults > 0 {
		after := w
		after.faults--
		after.mover[i] = mover{turns: m.turns} // its state is gone
		after.forgetLive(i)
		add(after, "mover %d crashes", i)
	}
	if m.waits {
		if w.faults > 0 {
			after := w
			after.faults--
			at := after.liveOf(i)
			after.net[at].live = false
			x.fail(&after, i, x.actions.all[after.net[at].action], cairn.KindUnavailable)
			add(after, "mover %d waits no longer for %s", i, x.actions.all[after.net[at].action])
		}
		return
	}
	s := x.states.all[m.state]
	if sees := still(s.Saw(x.records.all[w.record])); sees != s {
		after := w
		after.mover[i].state = x.states.put(sees)
		add(after, "mover %d sees the record", i)
	}
	soon := int32(-1)
	for _, now := range []time.Time{{}, time.Time{}.Add(time.Hour)} { // soon, or after every bound
		a := move.Decide(s, x.facts(w, s), now)
		if x.flaw.decide != nil {
			a = x.flaw.decide(s, a)
		}
		a.Next.Stepped, a.Until = time.Time{}, time.Time{}
		number := x.actions.put(a)
		after := w
		switch {
		case a.Kind == move.Wait || a.Kind == move.End || number == soon:
			continue
		case !now.IsZero() && after.late == 0:
			continue
		case !now.IsZero():
			after.late--
		default:
			soon = number
		}
		if i > 0 {
			after.mover[i].turns--
		}
		if x.ask(&after, i, s, a) {
			add(after, "mover %d: %s", i, a)
			continue
		}
		msg := message{here: true, live: true, from: i, action: number, move: x.records.put(s.Move)}
		if a.Kind == move.PutFence && s.Have.Known {
			msg.part.after = uint8(s.Have.Through)
		}
		tail := after.mover[i].tail
		if a.Kind == move.Tail {
			after.mover[i].tail = part{}
		}
		if a.Kind == move.Tail && tail.through > 0 && uint64(tail.after) == s.Have.Through {
			msg.part = tail
		} else if a.Kind == move.Copy || a.Kind == move.Tail || a.Kind == move.Adopt || a.Kind == move.CopyData || a.Kind == move.TailData {
			var err error
			if msg.part, err = x.readPart(&after, s, a); err != nil {
				x.fail(&after, i, a, cairn.KindOf(err))
				add(after, "mover %d: %s fails", i, a)
				continue
			}
		}
		if after.send(msg) {
			after.mover[i].waits = true
			add(after, "mover %d sends %s", i, a)
		}
	}
}

// ask carries out, in one step, what changes nothing but the mover, or only what
// may happen at any time anyway: that its messages are late adds nothing.
func (x *tables) ask(w *world, i uint8, s move.State, a move.Action) bool {
	switch a.Kind {
	case move.Read:
		s = s.Saw(x.records.all[w.record])
	case move.Ask:
		s = s.Asked(w.index[place(s.Move.To)].staged[slot(s.Move.Staging)].staged())
	case move.Note:
		w.assign(place(s.Move.To))
		s = s.HasNoted()
	default:
		return false
	}
	w.mover[i].state = x.states.put(still(s))
	return true
}

func (x *tables) facts(w world, s move.State) move.Facts {
	f := move.Facts{Turn: true, Settled: true, Data: w.data.here, Fresh: stageBase + cairn.UID(w.names)}
	if s.Move.Phase == shardmap.MoveCommitted && w.owner == place(s.Move.To) && uint64(w.epoch) != s.Move.Epoch {
		f.Epoch = uint64(w.epoch)
	}
	if (s.Move.Phase < shardmap.MoveCommitted || s.Move.Phase == shardmap.MoveCancelled) && s.Move.Epoch != uint64(w.epoch) {
		f.Void = "the shard has another epoch"
	}
	return f
}

// still is a state without what only slows a mover down.
func still(s move.State) move.State {
	s.Failures, s.Problem, s.Retry, s.Fences, s.FenceAfter = 0, "", time.Time{}, 0, time.Time{}
	if s.Broken != "" {
		s.Broken = "broken"
	}
	return s
}

func (x *tables) fail(w *world, i uint8, a move.Action, kind cairn.Kind) {
	m := &w.mover[i]
	m.waits = false
	reason := "FAILED"
	if kind == cairn.KindPrecondition {
		reason = "NOT_PREPARED"
	}
	m.state = x.states.put(still(x.states.all[m.state].Failed(a, cairn.Errorf(kind, reason, "it failed"), time.Time{})))
}

// nextOfMessage is what becomes of a message: carried out and answered, or the
// answer lost, or carried out and kept to be carried out again.
func (x *tables) nextOfMessage(w world, at int, add func(world, string, ...any)) {
	msg := w.net[at]
	a := x.actions.all[msg.action]
	done := w
	done.net[at] = message{}
	answer := x.carryOut(&done, msg)
	if !msg.live {
		add(done, "late: %s of mover %d", a, msg.from)
		return
	}
	answered := done
	answer(&answered)
	add(answered, "%s of mover %d is answered", a, msg.from)
	if w.faults == 0 {
		return
	}
	lost := done
	lost.faults--
	x.fail(&lost, msg.from, a, cairn.KindUnavailable)
	add(lost, "the answer to %s of mover %d is lost", a, msg.from)
	again := answered
	again.faults--
	msg.live = false
	if again.send(msg) {
		add(again, "%s of mover %d is answered, and comes again", a, msg.from)
	}
}

func (w *world) send(msg message) bool {
	for i := range w.net {
		if !w.net[i].here {
			w.net[i] = msg
			return true
		}
	}
	return false
}

func (w *world) liveOf(i uint8) int {
	return slices.IndexFunc(w.net[:], func(m message) bool { return m.here && m.live && m.from == i })
}

func (w *world) forgetLive(i uint8) {
	if at := w.liveOf(i); at >= 0 {
		w.net[at].live = false
	}
}

// sort makes worlds equal that differ only in the order of messages.
func (w *world) sort() {
	slices.SortFunc(w.net[:], func(a, b message) int { return compareKeys(a.key(), b.key()) })
}

func (m message) key() [10]int32 {
	if !m.here {
		return [10]int32{1}
	}
	live, copied := int32(0), int32(0)
	if m.live {
		live = 1
	}
	switch {
	case m.part.copy:
		copied = 1
	case m.part.adopts:
		copied = 2
	}
	return [10]int32{0, live, int32(m.from), m.action, m.move, copied, int32(m.part.after)<<16 | int32(m.part.through)<<8 | int32(m.part.seal), int32(m.part.value), int32(m.part.requests), int32(m.part.sinceValue)<<8 | int32(m.part.sinceRequests)}
}

func compareKeys(a, b [10]int32) int { return slices.Compare(a[:], b[:]) }
