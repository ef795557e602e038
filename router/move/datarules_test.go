package move_test

import (
	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
)

// This file is what a data mover and the nodes of the exploration do, and what must
// hold of them. The shard's one key has a value, which counts the acknowledged writes
// of it. Each cluster has one node.
//
// The data mover reads, copies and notes in one step, as its contract has it: calls
// take effect one after the other.

// dataWorld is the values of a world; here is false where the owner moves them. Within a
// cluster both nodes are the first one's, and home is where its index has the key.
type dataWorld struct {
	here, within    bool
	home            uint8
	acked           uint8
	node            [clusters]dataNode
	noted           [stagings]noted
	located         [clusters]uint8 // the highest epoch with which a writer may come
	writes, forgets uint8
}

type dataNode struct {
	value uint8
	// The calls that were carried out are none after (epoch, revision).
	asked, revision uint8
	// It takes writes that name least or above, unless it is closed or fenced.
	least  uint8
	closed bool
	fence  uint8
	dirty  bool
}

// noted is what the data mover knows of an attempt.
type noted struct {
	prepared, copied bool
	through          uint8
	knows            bool // of the key
	drained          uint8
	verified         uint8
}

// home is the node of a cluster's key.
func (w *world) home(c uint8) uint8 {
	if w.data.within {
		return w.data.home
	}
	return c
}

// leavesNode are the relocations from one node to the other.
var leavesNode = [clusters]shardmap.Relocation{"from the first", "from the second"}

// nodesOf are the nodes that a move takes the value from and brings it to.
func nodesOf(m shardmap.Move) (from, to uint8) {
	switch m.Relocation {
	case leavesNode[0]:
		return 0, 1
	case leavesNode[1]:
		return 1, 0
	}
	return place(m.From), place(m.To)
}

func (w *world) takesValues(c uint8) bool {
	n := &w.data.node[c]
	return w.data.located[c] != 0 && w.data.located[c] >= n.least && !n.closed && n.fence == 0
}

// nextOfData is what clients do to values, and what befalls the data mover.
func (w world) nextOfData(add func(world, string, ...any)) {
	for c := range w.data.node {
		// Who has not located the key has nowhere to write.
		if w.data.writes > 0 && w.acked > 0 && w.takesValues(uint8(c)) {
			after := w
			after.data.writes--
			after.data.acked++
			n := &after.data.node[c]
			n.value++
			n.dirty = true
			add(after, "a value is written at %d", c)
		}
	}
	for i := range w.data.noted {
		if w.data.forgets > 0 && w.data.noted[i].prepared {
			after := w
			after.data.forgets--
			after.data.noted[i] = noted{}
			add(after, "the data mover forgets attempt %d", i)
		}
	}
}

// throughTarget has the target take a part in whose keys the data mover gets, for it
// is the target that says where they go.
func (x *tables) throughTarget(w *world, s move.State, p part) error {
	to := &w.index[place(s.Move.To)].staged[slot(s.Move.Staging)]
	switch {
	case !to.complete, p.copy && p.through > to.through, !p.copy && p.after > to.through:
		return cairn.Errorf(cairn.KindConflict, "FAILED", "the target has not got so far")
	case !p.copy && p.through >= to.through:
		to.through, to.value, to.requests, to.sealed = p.through, p.value, p.requests, p.seal
	}
	return nil
}

// callData is a call of the data mover.
func (x *tables) callData(w *world, msg message, learn func(func(move.State) move.State) func(*world), fail func(cairn.Kind) func(*world)) func(*world) {
	a, m, p := x.actions.all[msg.action], x.records.all[msg.move], msg.part
	left, taken := nodesOf(m)
	s, from, to := &w.data.noted[slot(m.Staging)], &w.data.node[left], &w.data.node[taken]
	epoch, revision := uint8(m.Epoch), uint8(m.Revision)
	for _, n := range []*dataNode{from, to} {
		if !x.flaw.tokenless && (n.asked > epoch || n.asked == epoch && n.revision > revision) {
			return fail(cairn.KindConflict)
		}
	}
	from.asked, from.revision, to.asked, to.revision = epoch, revision, epoch, revision
	// A node that has other keys of the shard is a source as well, and never closed.
	fence := func(n uint8) {
		if from.fence = n; m.Within() {
			to.fence = n
		}
	}
	closed := func(on bool) { to.closed = on && !m.Within() }
	least := func(n uint8) {
		if from.least = n; m.Within() {
			to.least = n
		}
	}
	put := func(fresh bool) {
		if s.knows && (fresh || from.dirty) {
			to.value, from.dirty = from.value, false
		}
	}
	switch a.Kind {
	case move.CommitData:
		fence(0)
		from.least = uint8(a.Epoch)
		to.least, to.closed, to.dirty = uint8(a.Epoch), false, false
		return x.dataAnswer(*s, *from, a, learn)
	case move.UnfenceData:
		fence(0)
		return x.dataAnswer(*s, *from, a, learn)
	case move.CleanUpData:
		*s = noted{}
		switch {
		case m.Phase == shardmap.MoveDone:
			from.value = 0
		case m.Within():
			if fence(0); !a.Void {
				to.value = 0
			}
		case a.Void:
			from.fence, to.closed, to.least = 0, false, epoch+1
		default:
			from.fence, to.closed, to.least, to.value = 0, false, epoch+1, 0
		}
		return x.dataAnswer(*s, *from, a, learn)
	case move.PrepareData:
		if s.prepared {
			break
		}
		*s = noted{prepared: true}
		if uint64(from.fence) != m.Fence || x.flaw.careless { // of another move, that is over
			fence(0)
		}
		least(epoch)
		from.closed = false
		closed(true)
		return x.dataAnswer(*s, *from, a, learn)
	}
	if !s.prepared {
		return fail(cairn.KindPrecondition)
	}
	switch a.Kind {
	case move.CopyData:
		if !s.copied {
			s.copied, s.through, s.knows = true, p.through, p.value > 0
			put(true)
		}
	case move.TailData:
		if !s.copied || p.after > s.through {
			return fail(cairn.KindConflict)
		}
		if p.through > s.through {
			fresh := !s.knows && p.value > 0
			s.through, s.knows = p.through, s.knows || fresh
			put(fresh)
		}
		put(false)
	case move.FenceData:
		fence(uint8(a.Fence))
	case move.DrainData, move.VerifyData:
		if uint64(from.fence) != a.Fence && !x.flaw.lapsing {
			return fail(cairn.KindUnavailable)
		}
		if a.Kind == move.DrainData {
			put(false)
			s.drained = uint8(a.Fence)
		} else if s.verified = uint8(a.Fence); s.knows && from.value != to.value {
			return learn(func(s move.State) move.State { return s.DataDiffer("the values differ") })
		}
	}
	answer := x.dataAnswer(*s, *from, a, learn)
	if x.flaw.lapsing && s.verified > 0 {
		fence(0)
	}
	return answer
}

func (x *tables) dataAnswer(s noted, from dataNode, a move.Action, learn func(func(move.State) move.State) func(*world)) func(*world) {
	have := move.DataHave{
		Complete: s.copied, Through: uint64(s.through), Caught: s.copied,
		Fence: uint64(from.fence), Drained: uint64(s.drained), Verified: uint64(s.verified),
	}
	return learn(func(s move.State) move.State { return s.DataAsked(a, have) })
}

// dataBroken says which value a world would lose, "" if none.
func (w *world) dataBroken() string {
	takers := 0
	for c := range w.data.node {
		if !w.data.here || !w.takesValues(uint8(c)) {
			continue
		}
		if takers++; w.data.node[c].value != w.data.acked {
			return "a value is lost: who takes writes has not got all"
		}
	}
	if takers > 1 {
		return "two nodes take writes of a value"
	}
	return ""
}
