package move_test

import (
	"fmt"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
)

// This file is what etcd and the indexes of the exploration do, and what must hold
// of them.

// carryOut does what a message asks, and returns how its sender learns of it.
func (x *tables) carryOut(w *world, msg message) func(*world) {
	a, m := x.actions.all[msg.action], x.records.all[msg.move]
	learn := func(what func(move.State) move.State) func(*world) {
		return func(w *world) {
			to := &w.mover[msg.from]
			to.waits = false
			to.state = x.states.put(still(what(x.states.all[to.state])))
		}
	}
	fail := func(kind cairn.Kind) func(*world) { return func(w *world) { x.fail(w, msg.from, a, kind) } }
	source, target := &w.index[place(m.From)], &w.index[place(m.To)]
	switch a.Kind {
	case move.Swap:
		if x.records.all[w.record].Revision != m.Revision || x.records.all[w.record].UID != m.UID {
			return fail(cairn.KindConflict)
		}
		commit := a.Next.Phase == shardmap.MoveCommitted && m.Phase != shardmap.MoveCommitted
		if commit && uint64(w.epoch) != m.Epoch {
			return fail(cairn.KindConflict)
		}
		x.put(w, a.Next)
		if commit {
			w.owner, w.epoch, w.by = place(m.To), w.revision, uint8(slot(m.Staging))+1
		}
		if a.Next.Staging != m.Staging {
			w.names++
		}
		revision := uint64(w.revision)
		return learn(func(s move.State) move.State { return s.Swapped(a.Next, revision, time.Time{}) })
	case move.Drop:
		target.staged[slot(a.Staging)] = staging{}
		return learn(move.State.HasDropped)
	case move.Forget:
		if source.kept.by == uint8(slot(m.Staging))+1 {
			source.kept = kept{}
		}
		return learn(move.State.HasForgotten)
	case move.PutFence:
		if !source.owns || uint64(source.epoch) != m.Epoch {
			return fail(cairn.KindStale)
		}
		f := &source.fences[slot(m.Staging)]
		if uint8(a.Fence) > f.number || x.flaw.unnumbered {
			source.log++
			*f = fence{uint8(a.Fence), true, source.log}
		}
		if !f.on || uint64(f.number) != a.Fence {
			return fail(cairn.KindConflict)
		}
		stands := cairn.FenceState{Number: a.Fence, On: true, Index: uint64(f.at), Digest: cairn.Digest{Sum: uint64(source.value)}}
		put := learn(func(s move.State) move.State { return s.FencePut(stands) })
		if msg.part.after == 0 {
			return put
		}
		tail, err := x.readPart(w, move.State{Move: m, Have: move.Have{Through: uint64(msg.part.after)}}, move.Action{Kind: move.Tail})
		if err != nil {
			tail = part{}
		}
		return func(w *world) {
			put(w)
			w.mover[msg.from].tail = tail
		}
	case move.Unfence:
		if !source.owns || uint64(source.epoch) != m.Epoch {
			return fail(cairn.KindStale)
		}
		if f := &source.fences[slot(m.Staging)]; uint8(a.Fence) >= f.number || x.flaw.unnumbered {
			if f.on {
				source.log++
			}
			*f = fence{number: max(f.number, uint8(a.Fence))}
		}
		return learn(func(s move.State) move.State { return s.FenceLifted(a.Fence) })
	case move.Copy, move.Adopt, move.Tail:
		return x.stagePart(target, msg, m, learn, fail)
	default:
		return x.callData(w, msg, learn, fail)
	}
}

// readPart reads what a source hands to a target, or to a data mover by way of it.
func (x *tables) readPart(w *world, s move.State, a move.Action) (part, error) {
	source, after := w.index[place(s.Move.From)], uint8(s.Have.Through)
	if a.Kind == move.TailData {
		after = uint8(s.Data.Through)
	}
	switch {
	case !source.owns || uint64(source.epoch) != s.Move.Epoch:
		return part{}, cairn.Errorf(cairn.KindStale, "FAILED", "not the owner")
	case a.Kind == move.Adopt && (source.since < source.compacted || source.by != uint8(slot(s.Move.Kept))+1 || source.since == 0):
		return part{}, cairn.Errorf(cairn.KindCompacted, "FAILED", "nothing is kept")
	case (a.Kind == move.Tail || a.Kind == move.TailData) && after < source.compacted:
		return part{}, cairn.Errorf(cairn.KindCompacted, "FAILED", "the log is cut")
	}
	p := part{copy: a.Kind == move.Copy || a.Kind == move.CopyData, after: after, through: source.log, value: source.value, requests: source.requests}
	if a.Kind == move.Adopt {
		p.adopts, p.after, p.sinceValue, p.sinceRequests = true, source.since, source.sinceValue, source.sinceRequests
	}
	if f := source.fences[slot(s.Move.Staging)]; f.on && !p.copy {
		p.seal = f.number
	}
	if x.flaw.lossy && p.value > 0 {
		p.value, p.seal = p.value-1, 0
	}
	if x.flaw.forgetful {
		p.requests = 0
	}
	if (a.Kind == move.CopyData || a.Kind == move.TailData) && !s.Move.Within() {
		return p, x.throughTarget(w, s, p)
	}
	return p, nil
}

// stagePart takes a part in if it follows on what is there.
func (x *tables) stagePart(target *index, msg message, m shardmap.Move, learn func(func(move.State) move.State) func(*world), fail func(cairn.Kind) func(*world)) func(*world) {
	to, p := &target.staged[slot(m.Staging)], msg.part
	if p.adopts && to.copied == 0 {
		if target.kept.by != uint8(slot(m.Kept))+1 {
			return fail(cairn.KindPrecondition)
		}
		*to = staging{p.after, p.after, true, 0, target.kept.value, target.kept.requests}
		p.value, p.requests = to.value+p.value-p.sinceValue, to.requests+p.requests-p.sinceRequests
		target.kept = kept{}
	}
	taken := staging{to.copied, p.through, true, p.seal, p.value, p.requests}
	switch {
	case p.copy && (to.copied == 0 || x.flaw.unordered):
		*to = taken
		to.copied = p.through
	case p.copy:
	case x.flaw.unordered:
		*to = taken
	case !to.complete || p.after > to.through:
		return fail(cairn.KindConflict)
	case p.through > to.through:
		*to = taken
	}
	staged := to.staged()
	return learn(func(s move.State) move.State { return s.Followed(staged, true) })
}

func (s staging) staged() cairn.Staged {
	return cairn.Staged{
		Copied: uint64(s.copied), Complete: s.complete, Through: uint64(s.through), Sealed: uint64(s.sealed),
		Digest: cairn.Digest{Sum: uint64(s.value)},
	}
}

// assign has an index's log note the map. It is false if that changes nothing.
func (w *world) assign(c uint8) bool {
	at := &w.index[c]
	switch {
	case w.owner != c && at.owns:
		left := kept{}
		for i, f := range at.fences {
			if f.on {
				left = kept{uint8(i) + 1, at.value, at.requests}
			}
		}
		*at = index{log: at.log, compacted: at.compacted, staged: at.staged, kept: left}
	case w.owner == c && !at.owns:
		from := at.staged[w.by-1]
		at.owns, at.epoch, at.by = true, w.epoch, w.by
		at.value, at.requests, at.lost = from.value, from.requests, from.sealed == 0
		at.staged[w.by-1] = staging{}
		at.log++
		at.since, at.sinceValue, at.sinceRequests = at.log, at.value, at.requests
	case w.owner == c && at.epoch != w.epoch:
		// It has not noticed that it had lost the shard: its entries stay.
		if w.data.within && w.by != at.by {
			at.lost = !at.fences[w.by-1].on
			w.data.home = 1 - w.data.home
		}
		at.epoch, at.by, at.fences = w.epoch, w.by, [stagings]fence{}
	default:
		return false
	}
	if at.owns {
		w.data.located[w.home(c)] = w.epoch
	}
	return true
}

// broken says which invariant a world breaks, "" if none.
func (x *tables) broken(w world) string {
	record := x.records.all[w.record]
	takers := 0
	for c, at := range w.index {
		if !at.owns {
			continue
		}
		if !at.fenced() {
			takers++
		}
		switch {
		case at.lost:
			return fmt.Sprintf("%d owns a shard of which it has nothing", c)
		case !at.fenced() && w.owner != uint8(c):
			return fmt.Sprintf("I1: %d takes writes and the map says that %d owns the shard", c, w.owner)
		// Who is fenced answers only after a look at the map.
		case (!at.fenced() || w.owner == uint8(c)) && at.value != w.acked:
			return fmt.Sprintf("I4: %d answers, and has %d of %d writes", c, at.value, w.acked)
		case (!at.fenced() || w.owner == uint8(c)) && at.requests != w.acked:
			return fmt.Sprintf("I9: %d knows %d of %d requests", c, at.requests, w.acked)
		case at.fenced() && record.Phase == shardmap.MoveCancelled && w.owner == uint8(c) && at.epoch == w.epoch:
			return fmt.Sprintf("the move is cancelled and %d fenced", c)
		}
	}
	if takers > 1 {
		return "I1: two take writes"
	}
	return w.dataBroken()
}

// ended tells whether the move is done or cancelled, and the shard served.
func (x *tables) ended(w world) bool {
	record, owner := x.records.all[w.record], w.index[w.owner]
	return !record.Phase.Active() && record.Clean && owner.owns && owner.epoch == w.epoch && !owner.fenced() &&
		(!w.data.here || w.takesValues(w.home(w.owner)))
}
