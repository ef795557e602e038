package nodeindex

import (
	"slices"

	"cairn"

	"pgregory.net/rapid"
)

// This file is what the movers of a moveWorld do.

// Begin begins a move.
func (w *moveWorld) Begin(t *rapid.T) {
	s := rapid.SampledFrom(w.shards).Draw(t, "shard")
	if s.move != nil || s.left != nil {
		t.Skip("it is moving")
	}
	w.nextMove++
	w.revision++
	s.move = &moveRecord{moving: cairn.MovingShard{
		Move: w.nextMove, Keyspace: s.Keyspace, Shard: s.ID, Epoch: s.Epoch, Attempt: 1, Start: s.Start, End: s.End,
	}}
}

// moving draws a shard that is moving, with its source and target, both of which
// have noted the map that the move was planned on.
func (w *moveWorld) moving(t *rapid.T) (s *worldShard, source, target *machine) {
	var all []*worldShard
	for _, each := range w.shards {
		if each.move != nil {
			all = append(all, each)
		}
	}
	if len(all) == 0 {
		t.Skip("nothing moves")
	}
	s = rapid.SampledFrom(all).Draw(t, "shard")
	for cluster := range w.clusters {
		w.reach(t, cluster, s.move.moving.Epoch)
	}
	return s, w.clusters[s.owner], w.clusters[1-s.owner]
}

// reach has a cluster note a map at least as new as a revision, as whoever asks it
// anything does.
func (w *moveWorld) reach(t *rapid.T, cluster int, revision uint64) {
	if _, noted := w.clusters[cluster].x.Position(); noted < revision {
		w.note(t, cluster)
	}
}

// Copy reads a part of the copy, of wherever it is.
func (w *moveWorld) Copy(t *rapid.T) {
	s, source, target := w.moving(t)
	staged, _, err := target.x.StagedFor(s.move.moving)
	expect(t, err == nil, "staged: %v", err)
	if staged.Complete {
		t.Skip("it is complete")
	}
	if len(staged.Last) == 0 {
		source.settleCheckpoint(t)
	}
	part, err := source.x.CopyShard(s.move.moving, staged.Last)
	expect(t, err == nil, "copy: %v", err)
	w.send(t, message{what: "part", to: 1 - s.owner, moving: s.move.moving, part: part.Data})
}

// Tail reads a part of the tail.
func (w *moveWorld) Tail(t *rapid.T) {
	s, source, target := w.moving(t)
	staged, _, err := target.x.StagedFor(s.move.moving)
	expect(t, err == nil, "staged: %v", err)
	if staged.Copied == 0 {
		t.Skip("nothing is staged")
	}
	part, err := source.x.TailShard(s.move.moving, staged.Through)
	if cairn.ReasonOf(err) == "STAMP_COMPACTED" { // the source was started anew: copy again
		w.again(t, s)
		return
	}
	expect(t, err == nil, "tail: %v", err)
	w.send(t, message{what: "part", to: 1 - s.owner, moving: s.move.moving, part: part.Data})
}

// again begins another attempt. The record says so first, and that it is not
// fenced any more.
func (w *moveWorld) again(t *rapid.T, s *worldShard) {
	if s.move.fenced {
		s.move.fenced = false
		w.send(t, message{what: "unfence", to: s.owner, moving: s.move.moving, number: s.move.number})
	}
	over := s.move.moving
	s.move.moving.Attempt++
	w.send(t, message{what: "drop", to: 1 - s.owner, moving: over})
}

// Again gives an attempt up.
func (w *moveWorld) Again(t *rapid.T) {
	s, _, _ := w.moving(t)
	w.again(t, s)
}

// send sends a message, which may be lost, and stays to come again.
func (w *moveWorld) send(t *rapid.T, m message) {
	w.messages = append(w.messages, m)
	if len(w.messages) > 24 {
		w.messages = w.messages[1:]
	}
	if rapid.IntRange(0, 4).Draw(t, "lost") > 0 {
		w.deliver(t, m)
	}
}

// Repeat has a message come that was sent before, or was lost.
func (w *moveWorld) Repeat(t *rapid.T) {
	if len(w.messages) == 0 {
		t.Skip("nothing was sent")
	}
	w.deliver(t, rapid.SampledFrom(w.messages).Draw(t, "message"))
}

// deliver has a cluster carry out a message.
func (w *moveWorld) deliver(t *rapid.T, msg message) {
	m := w.clusters[msg.to]
	w.reach(t, msg.to, msg.moving.Epoch)
	switch msg.what {
	case "part":
		w.stage(t, m, msg)
	case "drop":
		result, _ := m.apply(DropCommand(msg.moving))
		expect(t, result.Err == nil, "drop: %v", result.Err)
	default:
		result, _ := m.apply(FenceCommand(msg.moving, msg.number, msg.what == "fence"))
		name := shardName{msg.moving.Keyspace, msg.moving.Shard}
		if result.Err != nil {
			expect(t, result.Err.Reason == "NOT_OWNED", "%s: %v", msg.what, result.Err)
			return
		}
		fenced := slices.ContainsFunc(w.shards, func(s *worldShard) bool {
			// It stays fenced from the commit to the release.
			return s.Move == msg.moving.Move ||
				s.move != nil && s.move.moving.Move == msg.moving.Move && s.move.number == result.Fence.Number
		})
		expect(t, !result.Fence.On || fenced, "fenced for a move that is over, or by an older number: %+v", result.Fence)
		w.fences[fenceName{msg.to, name, msg.moving.Move}] = result.Fence.On
		w.refence(msg.to)
	}
}

// fenceName names a move's fence at a cluster.
type fenceName struct {
	cluster int
	shard   shardName
	move    cairn.UID
}

// refence has the model of a cluster know which shards are fenced by any move.
func (w *moveWorld) refence(cluster int) {
	m := w.clusters[cluster]
	clear(m.fenced)
	for name, on := range w.fences {
		if name.cluster == cluster && on {
			m.fenced[name.shard] = true
		}
	}
}

// stage hands a part over, or the beginning of it.
func (w *moveWorld) stage(t *rapid.T, m *machine, msg message) {
	commands, err := m.x.PrepareStage(msg.moving, msg.part)
	if err != nil {
		expect(t, cairn.ReasonOf(err) == "NOTHING_STAGED", "prepare: %v", err)
		return
	}
	for _, command := range commands[:rapid.IntRange(1, len(commands)).Draw(t, "pieces that come")] {
		result, _ := m.apply(command)
		if result.Err != nil {
			allowed := []string{"NOTHING_STAGED", "RANGE_OWNED", "RANGE_ARRIVING", "ATTEMPT_OVER", "COPY_BEHIND", "TAIL_GAP"}
			expect(t, slices.Contains(allowed, result.Err.Reason), "stage: %v", result.Err)
			if result.Err.Reason == "RANGE_ARRIVING" {
				w.clear(t, m, msg.moving)
			}
			return
		}
	}
}

// clear drops what moves that are over have left.
func (w *moveWorld) clear(t *rapid.T, m *machine, moving cairn.MovingShard) {
	for _, k := range m.x.state.Load().keyspaces {
		for _, a := range k.arriving {
			live := slices.ContainsFunc(w.shards, func(s *worldShard) bool {
				return s.move != nil && s.move.moving.Move == a.Move || s.left != nil && s.Move == a.Move
			})
			if !live && a.Keyspace == moving.Keyspace {
				result, _ := m.apply(DropCommand(cairn.MovingShard{Move: a.Move, Keyspace: a.Keyspace, Attempt: 1 << 40}))
				expect(t, result.Err == nil, "drop: %v", result.Err)
			}
		}
	}
}

// Fence fences by another number: the record says so first.
func (w *moveWorld) Fence(t *rapid.T) {
	s, _, target := w.moving(t)
	staged, _, err := target.x.StagedFor(s.move.moving)
	expect(t, err == nil, "staged: %v", err)
	if !staged.Complete && rapid.IntRange(0, 4).Draw(t, "early") > 0 {
		t.Skip("it is not copied yet")
	}
	if !s.move.fenced {
		s.move.number++
		s.move.fenced = true
	}
	w.send(t, message{what: "fence", to: s.owner, moving: s.move.moving, number: s.move.number})
}

// Unfence lifts the fence: the record says so first.
func (w *moveWorld) Unfence(t *rapid.T) {
	s, _, _ := w.moving(t)
	if s.move.number == 0 {
		t.Skip("it was never fenced")
	}
	s.move.fenced = false
	w.send(t, message{what: "unfence", to: s.owner, moving: s.move.moving, number: s.move.number})
}

// Cancel ends a move without it: its record goes when the fence is surely lifted.
func (w *moveWorld) Cancel(t *rapid.T) {
	s, _, _ := w.moving(t)
	s.move.fenced = false
	if s.move.number > 0 {
		w.deliver(t, message{what: "unfence", to: s.owner, moving: s.move.moving, number: s.move.number})
	}
	over := s.move.moving
	s.move = nil
	w.send(t, message{what: "drop", to: 1 - s.owner, moving: over})
}

// Commit makes the target the owner, if all is there.
func (w *moveWorld) Commit(t *rapid.T) {
	s, source, target := w.moving(t)
	w.commit(t, s, source, target)
}

func (w *moveWorld) commit(t *rapid.T, s *worldShard, source, target *machine) {
	fence, _, err := source.x.Fence(s.move.moving)
	expect(t, err == nil, "fence: %v", err)
	staged, _, err := target.x.StagedFor(s.move.moving)
	expect(t, err == nil, "staged: %v", err)
	content := w.content(source, s)
	expect(t, fence.Digest == digestOf(content), "the digest is %+v, want %+v", fence.Digest, digestOf(content))
	if !s.move.fenced || !fence.On || fence.Number != s.move.number || staged.Sealed != s.move.number || staged.Digest != fence.Digest {
		t.Skip("not all is there")
	}
	w.revision++
	s.owner, s.Epoch, s.Move = 1-s.owner, w.revision, s.move.moving.Move
	s.move, s.left = nil, content
}

// All brings a move as far as it goes with nothing in its way.
func (w *moveWorld) All(t *rapid.T) {
	s, source, target := w.moving(t)
	moving := s.move.moving
	w.clear(t, target, moving)
	source.settleCheckpoint(t)
	deliver := func(part []byte) cairn.Staged {
		commands, err := target.x.PrepareStage(moving, part)
		expect(t, err == nil, "prepare: %v", err)
		var staged cairn.Staged
		for _, command := range commands {
			result, _ := target.apply(command)
			expect(t, result.Err == nil, "stage: %v", result.Err)
			staged = result.Staged
		}
		return staged
	}
	staged, _, _ := target.x.StagedFor(moving)
	for !staged.Complete {
		part, err := source.x.CopyShard(moving, staged.Last)
		expect(t, err == nil, "copy: %v", err)
		if part.Index < staged.Through {
			t.Skip("the copy is of before the tail")
		}
		staged = deliver(part.Data)
	}
	if !s.move.fenced {
		s.move.number++
		s.move.fenced = true
	}
	w.deliver(t, message{what: "fence", to: s.owner, moving: moving, number: s.move.number})
	for staged.Sealed != s.move.number {
		part, err := source.x.TailShard(moving, staged.Through)
		if err != nil {
			expect(t, cairn.ReasonOf(err) == "STAMP_COMPACTED", "tail: %v", err)
			w.again(t, s)
			return
		}
		staged = deliver(part.Data)
	}
	w.commit(t, s, source, target)
}
