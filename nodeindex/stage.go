package nodeindex

import (
	"bytes"
	"encoding/binary"
	"slices"

	"cairn"
	"cairn/nodeindex/pace"
	"cairn/nodeindex/projection"
	"cairn/shardmap/placement"
)

// This file takes in the parts of a shard that is moving here. Each piece says
// where it follows on, so that it takes effect once and in order, whoever sends
// it how often: what has been there is passed over, what has a gap before it is
// refused.

var (
	errNothingStaged = cairn.Errorf(cairn.KindPrecondition, "NOTHING_STAGED",
		"nothing is staged for the move; begin with the copy's first part")
	errRangeOwned = cairn.Errorf(cairn.KindPrecondition, "RANGE_OWNED",
		"by this index's log keys of the shard are its cluster's already")
	errKeyOutside = cairn.Invalid("part", "KEY_OUTSIDE", "the part has a key that is not in the shard")
	errCopyBehind = cairn.Errorf(cairn.KindConflict, "COPY_BEHIND",
		"the part of the copy is of before what the tail has brought; copy it again from where the copy is")
	errTailGap = cairn.Errorf(cairn.KindConflict, "TAIL_GAP", "changes before those of the part are missing; ask for the tail from where it is")
)

// PrepareStage makes the commands that stage a part of a shard that moves here,
// in order, as the leader: with the nodes to use for its entries. Any goroutine
// may call it. KindInvalid (PART_MALFORMED, MARKS_MALFORMED, MARKS_DISORDERED), KindPrecondition (NO_ACTIVE_NODE,
// NODE_NOT_ACTIVE), KindUnavailable (CLOSED).
func (x *Index) PrepareStage(m cairn.MovingShard, part []byte) ([][]byte, error) {
	s := x.state.Load()
	if s == nil {
		return nil, errClosed
	}
	encoded, err := pieces(part)
	if err != nil {
		return nil, err
	}
	k := s.keyspaces[m.Keyspace]
	var marker *projection.Marker
	commands := make([][]byte, 0, len(encoded))
	var pacer pace.Pacer
	for _, each := range encoded {
		pacer.Look()
		d := decoder{rest: each}
		p := d.piece()
		if !d.ok() {
			return nil, errPart
		}
		if k == nil && p.definition != nil {
			k = newKeyspace(*p.definition, nil, nil)
		}
		if k == nil {
			return nil, errNothingStaged
		}
		if marker == nil {
			marker = projection.NewMarker(k.Schema)
		}
		if err := checkOrder(marker, m, &p); err != nil {
			return nil, err
		}
		choice, err := s.chooseFor(k, &p, m.Nodes)
		if err != nil {
			return nil, err
		}
		kind := commandStage
		if len(m.Nodes) > 0 {
			kind = commandPlace
		}
		command := appendMoving([]byte{kind}, m)
		command = binary.AppendUvarint(command, uint64(x.options.RequestBytes))
		commands = append(commands, append(choice.append(command), each...))
	}
	return commands, nil
}

// stageCommand is a piece with the leader's choice of nodes, which is given where
// entries take it whatever nodes they had here.
type stageCommand struct {
	given  bool
	moving cairn.MovingShard
	limit  int64 // of the requests that are remembered, in bytes
	choice choice
	piece  piece
}

func (c *stageCommand) decode(command []byte) bool {
	d := decoder{rest: command[1:]}
	c.given = command[0] == commandPlace
	c.moving = d.moving()
	c.limit = int64(d.number(mostBound))
	c.choice = d.choice()
	c.piece = d.piece()
	puts := 0
	for i := range c.piece.changes {
		if !c.piece.changes[i].deleted {
			puts++
		}
	}
	first := c.piece.isFirst()
	if definition := c.piece.definition; first != (definition != nil) || first && definition.UID != c.moving.Keyspace {
		return false
	}
	return d.ok() && puts == len(c.choice.of) && c.moving.Move != 0
}

// applyStage takes a piece in, and returns what is staged afterwards. A piece
// that has been there changes nothing. It is refused with
//
//   - KindPrecondition: NOTHING_STAGED, NOTHING_KEPT, RANGE_OWNED, RANGE_ARRIVING (another
//     move's entries stand there: drop them), MOVE_DIFFERS
//   - KindConflict: ATTEMPT_OVER, COPY_BEHIND, TAIL_GAP
//   - KindStale: NODES_CHANGED, choose anew
//   - KindInvalid: KEY_OUTSIDE, MARKS_MALFORMED
//   - KindExhausted: ORDINALS_EXHAUSTED
func (x *Index) applyStage(s *state, r *reader, index uint64, command []byte) (cairn.Staged, *cairn.Error) {
	// One copy for the whole command: entries keep their keys and attributes in
	// it.
	var c stageCommand
	if !c.decode(bytes.Clone(command)) {
		return cairn.Staged{}, errCommand
	}
	a := s.arrival(c.moving.Keyspace, c.moving.Move)
	next, err := c.follows(a)
	if err == nil && next != passed {
		err = c.check(s)
	}
	if err == nil && next == begins {
		if c.piece.kind == pieceKept {
			a, err = x.beginWithKept(s, index, &c)
		} else {
			a, err = x.beginArrival(s, index, &c)
		}
		s = x.state.Load()
	}
	if err == nil && next != passed {
		err = x.stage(s, r, index, a, &c)
	}
	if err != nil {
		x.effects.refused(err)
	}
	return a.staged(), err
}

// standing is where a piece stands to what is staged.
type standing int

const (
	passed standing = iota // it has been there
	begins                 // an attempt begins with it
	goesOn                 // it goes on from what is there
)

// follows tells where a piece stands to what is staged for its move.
func (c *stageCommand) follows(a *arrival) (standing, *cairn.Error) {
	p, m := &c.piece, &c.moving
	switch {
	case a != nil && (a.ID != m.Shard || !bytes.Equal(a.Start, m.Start) || !bytes.Equal(a.End, m.End)):
		return 0, cairn.Errorf(cairn.KindPrecondition, "MOVE_DIFFERS", "the move has staged another shard, %s", a.ID)
	case a != nil && m.Attempt < a.attempt:
		return 0, errAttemptOver(m.Attempt, a.attempt)
	case a == nil || m.Attempt > a.attempt:
		if !p.isFirst() && p.kind != pieceKept {
			return 0, errNothingStaged
		}
		return begins, nil
	case p.kind == pieceKept:
		return passed, nil
	case p.kind == pieceTail && p.from > a.through:
		return 0, errTailGap
	case p.kind == pieceTail && p.index < a.through:
		return passed, nil
	case p.kind == pieceTail:
		return goesOn, nil
	case a.complete || !bytes.Equal(p.after, a.last):
		return passed, nil
	case p.index < a.through:
		return 0, errCopyBehind
	}
	return goesOn, nil
}

// inTheWay are the arrivals that an attempt takes the place of: an earlier one of
// the move, and those of moves that were planned on an earlier epoch of keys of
// it, which are over. A shard that keys of it are in otherwise is refused.
func (a *assignment) inTheWay(m cairn.MovingShard) (over []*arrival, err *cairn.Error) {
	k := a.keyspaces[m.Keyspace]
	if k == nil {
		return nil, nil
	}
	moving := cairn.Shard{Start: m.Start, End: m.End}
	for _, s := range k.shards {
		if overlap(&s.Shard, &moving) {
			return nil, errRangeOwned
		}
	}
	for _, each := range k.arriving {
		switch {
		case !overlap(&each.Shard, &moving):
		case each.Move == m.Move || each.Epoch < m.Epoch:
			over = append(over, each)
		default:
			return nil, cairn.Errorf(cairn.KindPrecondition, "RANGE_ARRIVING", "entries of move %s are staged there; drop them first", each.Move)
		}
	}
	return over, nil
}

// check refuses a piece that can't be taken in.
func (c *stageCommand) check(s *state) *cairn.Error {
	for _, list := range c.choice.lists {
		for _, id := range list {
			if n := s.node(id); n == nil || n.State != cairn.NodeActive {
				return errNodesChanged
			}
		}
		if len(list) == 0 {
			return errCommand
		}
	}
	if err := checkMarks(c.moving, &c.piece); err != nil {
		return err
	}
	k := s.keyspaces[c.moving.Keyspace]
	if k == nil {
		k = newKeyspace(*c.piece.definition, nil, nil)
	}
	bounds := cairn.Shard{Start: c.moving.Start, End: c.moving.End}
	var buffer [16]byte
	for i := range c.piece.changes {
		key := c.piece.changes[i].Key
		if key.Validate() != nil || !contains(&bounds, placement.Key(k.Placement, key, buffer[:0])) {
			return errKeyOutside
		}
	}
	return nil
}

// beginArrival makes room for a shard that begins to arrive.
func (x *Index) beginArrival(s *state, index uint64, c *stageCommand) (*arrival, *cairn.Error) {
	m := c.moving
	over, err := s.inTheWay(m)
	if err != nil {
		return nil, err
	}
	for _, each := range over {
		x.drop(index, each)
	}
	s = x.state.Load()
	a := &arrival{
		Shard:      cairn.Shard{Keyspace: m.Keyspace, ID: m.Shard, Start: bytes.Clone(m.Start), End: bytes.Clone(m.End), Epoch: m.Epoch, Move: m.Move},
		population: newPopulation(),
		progress:   progress{attempt: m.Attempt, copied: c.piece.index, through: c.piece.index},
	}
	a.bounded = c.piece.bounded
	k := s.keyspaces[m.Keyspace]
	if k == nil {
		k = newKeyspace(*c.piece.definition, c.piece.views, nil)
		k.guest = true
	}
	next := s.with(k.withArrivals(append(slices.Clone(k.arriving), a)))
	projections := x.project(s.projections, next)
	if p := projections[m.Keyspace]; p != nil {
		p.Gather(x.numberOf(a.population))
	}
	x.publish(func(s *state) { s.assignment, s.assigned, s.projections = next, index, projections })
	return a, nil
}

// with is the assignment with a keyspace in the place of what it was.
func (a *assignment) with(k *keyspace) *assignment {
	next := *a
	next.keyspaces = make(map[cairn.UID]*keyspace, len(a.keyspaces)+1)
	for uid, each := range a.keyspaces {
		next.keyspaces[uid] = each
	}
	if next.keyspaces[k.UID] = k; k.guest && len(k.arriving) == 0 {
		delete(next.keyspaces, k.UID)
	}
	return &next
}

// stage makes entries of an arrival what a piece says, and notes how far it is.
func (x *Index) stage(s *state, r *reader, index uint64, to *arrival, c *stageCommand) *cairn.Error {
	k, p := s.keyspaces[c.moving.Keyspace], &c.piece
	a := applier{
		x: x, state: s, reader: r, index: index, view: s.view(k, r), project: s.projections[k.UID],
		items: make([]item, 0, len(p.changes)),
	}
	var refusal *cairn.Error
	put := 0
	run := markedRun{project: a.project, marks: p.marks}
	if a.project != nil {
		run.number = x.numberOf(to.population)
	}
	for i := range p.changes {
		each := &p.changes[i]
		before, ordinal := a.find(each.Key)
		if before != nil {
			run.put() // of which it may be
		}
		if each.deleted {
			if before != nil {
				a.remove(k, to.population, before, item{entry: cairn.Entry{Key: each.Key}, ordinal: ordinal, staged: true})
			}
			continue
		}
		entry := each.Entry
		entry.Nodes = c.choice.lists[c.choice.of[put]]
		put++
		if before != nil && !c.given {
			entry.Nodes = before.Nodes
		}
		if before == nil {
			if ordinal, refusal = a.newOrdinal(to.population, entry.Nodes); refusal != nil {
				break
			}
		}
		came := item{entry: entry, ordinal: ordinal, staged: true}
		if before == nil && run.takes() {
			run.add(i, a.hold(k, to.population, nil, came))
		} else {
			a.keep(k, to.population, before, came)
		}
	}
	run.put()
	x.pending.publish(s.active)
	if a.project != nil {
		a.project.Touched()
	}
	to.changed = x.generation
	x.requests.receive(k.UID, p, index, c.limit)
	x.effects.remembered(x.requests)
	if refusal != nil {
		return refusal
	}
	if to.advance(p); to.complete && p.kind == pieceCopy && a.project != nil {
		a.project.Settle(x.numberOf(to.population))
		x.wakeWork()
	}
	x.effects.staged(to)
	return nil
}

// advance notes that a piece is there.
func (a *arrival) advance(p *piece) {
	switch p.kind {
	case pieceKept: // that is how far it is
		return
	case pieceCopy:
		a.last, a.complete = bytes.Clone(p.last), p.done
		return
	}
	a.through, a.sealed = p.index, 0
	if p.seal.number > 0 && a.complete && p.seal.digest == a.digest() {
		a.sealed = p.seal.number
	}
}

// DropCommand is the command that forgets what is staged for a move.
func DropCommand(m cairn.MovingShard) []byte { return appendMoving([]byte{commandDrop}, m) }

// applyDrop forgets what is staged for a move, if anything is and no later attempt
// is under way.
func (x *Index) applyDrop(s *state, index uint64, command []byte) *cairn.Error {
	d := decoder{rest: command[1:]}
	m := d.moving()
	if !d.done() {
		return errCommand
	}
	if a := s.arrival(m.Keyspace, m.Move); a != nil && a.attempt <= m.Attempt {
		x.drop(index, a)
	}
	return nil
}

// drop has an arrival be swept as what has departed is.
func (x *Index) drop(index uint64, a *arrival) {
	s := x.state.Load()
	k := s.keyspaces[a.Keyspace]
	next := s.with(k.withArrivals(slices.DeleteFunc(slices.Clone(k.arriving), func(each *arrival) bool { return each == a })))
	x.forget(a, s.projections[a.Keyspace])
	projections := x.project(s.projections, next)
	x.effects.staged(nil)
	x.publish(func(s *state) {
		s.assignment, s.assigned, s.projections = next, index, projections
		s.departed = depart(s.departed, a.Keyspace, a.ordinals)
	})
}

// forget has an arrival's entries leave the views, and its blocks.
func (x *Index) forget(a *arrival, project *projection.Projection) {
	if project != nil {
		project.Depart(x.numberOf(a.population), a.ordinals)
	}
	delete(x.numbered, a.number)
	for _, number := range a.blocks {
		x.ordinals.disown(number)
	}
}

func errAttemptOver(attempt, present uint64) *cairn.Error {
	return cairn.Errorf(cairn.KindConflict, "ATTEMPT_OVER", "attempt %d of the move is over; there is attempt %d", attempt, present)
}

// StagedFor is what is staged by an attempt of a move, the zero Staged for
// nothing, or for what an earlier one has left; and the applied index and revision
// of which that is, or before. KindConflict (ATTEMPT_OVER): there is a later one.
// KindUnavailable (CLOSED).
func (x *Index) StagedFor(m cairn.MovingShard) (cairn.Staged, cairn.Answer, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return cairn.Staged{}, cairn.Answer{}, errClosed
	}
	applied, revision := x.Position()
	a := s.arrival(m.Keyspace, m.Move)
	if a != nil && a.attempt > m.Attempt {
		return cairn.Staged{}, cairn.Answer{}, errAttemptOver(m.Attempt, a.attempt)
	}
	if a != nil && a.attempt < m.Attempt {
		a = nil
	}
	staged := a.staged()
	staged.Building = s.building(m.Keyspace)
	return staged, cairn.Answer{Index: applied, Revision: revision}, nil
}
