package nodeindex

import (
	"bytes"
	"slices"
	"time"

	"cairn"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/projection"
)

// Result is what a command did.
type Result struct {
	// Answer is the applied index and the map revision after the command.
	cairn.Answer
	// Requests are the outcomes of a write command's mutations, one slice a
	// request, in the order given to Prepare.
	Requests [][]cairn.Written
	// Staged is what is staged after a command of PrepareStage, Fence how the
	// move's fence is after a FenceCommand.
	Staged cairn.Staged
	Fence  cairn.FenceState
	// Err is why the command as a whole did nothing: KindConflict
	// (ASSIGNMENT_SUPERSEDED) for a Diff made against another assignment than
	// the log's (make it anew), KindCorrupt (COMMAND_MALFORMED) for bytes that
	// are no command, KindInvalid (ASSIGNMENT_INVALID) for an assignment with
	// overlapping shards, KindUnavailable (CLOSED), or as the commands of a move
	// are refused.
	Err *cairn.Error
}

// Apply applies one command of the log. Only one goroutine may call it, with
// ascending indexes; Freeze belongs to the same goroutine. The command is
// neither kept nor changed. An index at or below the applied one does nothing;
// an empty command does nothing but advance it.
//
// It panics where the file turns out to be damaged: a replica that went on
// would differ from the others.
func (x *Index) Apply(index, term uint64, command []byte) Result {
	x.mu.Lock()
	defer x.mu.Unlock()
	s, r, err := x.acquire()
	if err != nil {
		return Result{Err: asError(err)}
	}
	defer r.pool.release(r)
	if applied, revision := x.Position(); index <= applied {
		return Result{Answer: cairn.Answer{Revision: revision, Index: applied}}
	}

	var result Result
	result.Answer = cairn.Answer{Revision: s.revision, Index: index}
	x.effects.begin(index)
	switch {
	case len(command) == 0:
	case command[0] == commandWrites, command[0] == commandNamedWrites:
		result.Requests, result.Err = x.applyWrites(s, r, index, command)
	case command[0] == commandAssign:
		result.Revision, result.Err = x.applyAssign(s, r, index, command)
	case command[0] == commandMark:
		result.Err = x.applyMark(index, command)
	case command[0] == commandFence:
		result.Fence, result.Err = x.applyFence(s, index, command)
	case command[0] == commandStage, command[0] == commandPlace:
		result.Staged, result.Err = x.applyStage(s, r, index, command)
	case command[0] == commandDrop:
		result.Err = x.applyDrop(s, index, command)
	default:
		result.Err = errCommand
	}
	x.effects.end()
	x.term = term
	x.position.advance(index, result.Revision)
	return result
}

// StepOf is what applying a command is as a step.
func StepOf(command []byte) durable.Step {
	switch {
	case len(command) > 0 && command[0] == commandStage:
		return durable.Stage
	case len(command) > 0 && command[0] == commandAssign:
		return durable.Assign
	}
	return durable.Apply
}

var errCommand = corrupt("COMMAND_MALFORMED", "a log entry that is no command of this version")

// applier applies one write command.
type applier struct {
	x       *Index
	state   *state
	reader  *reader
	index   uint64
	time    time.Time
	view    view                   // of the request's keyspace
	project *projection.Projection // its views, nil if it has none
	changes []cairn.Change
	// stale are the keys of the request's mutations that were refused with
	// KindStale; nil while there are none.
	stale map[string]bool

	// Of a request with an id: what is remembered of it, by position; what a
	// mutation that is not is refused for, nil for nothing; and what there is
	// to remember.
	named    bool
	known    map[uint32]outcome
	refusal  *cairn.Error
	outcomes []outcome

	// Slabs.
	items []item
	nodes []cairn.NodeID
}

func (x *Index) applyWrites(s *state, r *reader, index uint64, command []byte) ([][]cairn.Written, *cairn.Error) {
	// One copy for the whole command: entries keep their keys and attributes
	// in it.
	if !x.command.decode(bytes.Clone(command)) {
		return nil, errCommand
	}
	c := &x.command
	x.requests.clock = max(x.requests.clock, c.time)
	a := applier{
		x: x, state: s, reader: r, index: index,
		time:  time.UnixMicro(c.time).UTC(),
		items: make([]item, 0, len(c.mutations)),
	}
	mixed := c.mixed()
	outcomes := make([]cairn.Written, len(c.mutations))
	requests := make([][]cairn.Written, len(c.requests))
	position := 0
	for i, request := range c.requests {
		n := len(request.mutations)
		requests[i] = outcomes[position : position+n : position+n]
		k := s.keyspaces[request.keyspace]
		if k != nil {
			a.view, a.project = s.view(k, r), s.projections[k.UID]
			a.changes = make([]cairn.Change, 0, n)
			if mixed {
				// What a feed keeps must not keep another keyspace's memory.
				a.items = make([]item, 0, n)
				own(request.mutations)
			}
		}
		a.begin(&request, &c.bounds)
		for j := range request.mutations {
			requests[i][j] = a.mutate(k, &request.mutations[j], uint32(position+j))
			if err := requests[i][j].Err; err != nil {
				x.effects.refused(err)
			}
		}
		if len(a.outcomes) > 0 {
			x.requests.remember(request.keyspace, request.name, index, a.outcomes, c.bounds.limit)
		}
		if a.named {
			x.effects.remembered(x.requests)
		}
		position += n
		if k != nil {
			x.feeds.append(request.keyspace, index, s.revision, c.time, a.changes)
			if a.project != nil && len(a.changes) > 0 {
				a.project.Touched()
			}
		}
	}
	clear(c.mutations) // or they would keep the command's copy
	x.pending.publish(s.active)
	return requests, nil
}

// begin begins a request.
func (a *applier) begin(request *keyspaceWrites, bounds *requestBounds) {
	a.stale = nil
	a.named, a.outcomes = !request.name.isZero(), a.outcomes[:0]
	if a.named {
		a.refusal = a.x.requests.arrive(request.name, bounds.window)
		a.known = a.x.requests.find(request.keyspace, request.name)
	}
}

// mutate works out one mutation, or finds out that it has been before. Readers
// see it when the command is done.
func (a *applier) mutate(k *keyspace, m *mutation, position uint32) cairn.Written {
	out := cairn.Written{Stamp: cairn.Stamp{Index: a.index}}
	refuse := func(err error) cairn.Written {
		out.Err = asError(err)
		return out
	}
	if m.Operation == 0 {
		return refuse(errOperation)
	}
	if err := m.Key.Validate(); err != nil {
		return refuse(err)
	}
	var home *shard
	if k != nil {
		home = k.locate(m.Key, a.reader.placement[:0])
	}
	if home == nil {
		return refuse(errNotOwned)
	}
	out.Stamp.Epoch = home.Epoch
	version := cairn.Version{Epoch: home.Epoch, Index: a.index, Position: position}
	if a.named {
		if known, found := a.known[m.Position]; found {
			return known.written(out.Stamp)
		}
	}
	if home.fences.on.Load() {
		return refuse(errFenced) // and not remembered: it is for the next owner to say
	}
	if !a.named {
		return a.carryOut(k, home, m, version)
	}
	if a.refusal != nil {
		return refuse(a.refusal)
	}
	out = a.carryOut(k, home, m, version)
	if out.Err == nil || out.Err.Kind != cairn.KindStale {
		a.outcomes = append(a.outcomes, outcome{
			position: m.Position, shard: home.ID, version: version,
			existed: out.Existed, deleted: m.Operation == cairn.Delete, nodes: out.Nodes, refusal: out.Err,
		})
	}
	return out
}

// carryOut changes the entry of a key that is in the shard home.
func (a *applier) carryOut(k *keyspace, home *shard, m *mutation, version cairn.Version) cairn.Written {
	out := cairn.Written{Stamp: cairn.Stamp{Epoch: version.Epoch, Index: version.Index}}
	refuse := func(err error) cairn.Written {
		out.Err = asError(err)
		if out.Err.Kind == cairn.KindStale {
			if a.stale == nil {
				a.stale = make(map[string]bool)
			}
			a.stale[keyString(m.Key)] = true
		}
		return out
	}
	if k.Deleting {
		return refuse(errDeleting)
	}
	if a.stale[string(m.Key)] {
		return refuse(errAfterStale)
	}
	before, ordinal := a.find(m.Key)
	out.Existed = before != nil
	if err := checkCondition(m.Condition, before); err != nil {
		return refuse(err)
	}
	if m.Operation == cairn.Delete {
		if before != nil {
			gone := item{entry: cairn.Entry{Key: m.Key, Version: version}, ordinal: ordinal}
			a.note(home, before, a.remove(k, home.population, before, gone))
		}
		return out
	}

	if err := m.Attributes.Validate(k.Schema, m.Operation == cairn.Merge); err != nil {
		return refuse(err)
	}
	nodes, err := a.state.nodesFor(m, before)
	if err != nil {
		return refuse(err)
	}
	attributes := m.Attributes
	if m.Operation == cairn.Merge {
		attributes = nil
		if before != nil {
			attributes = before.Attributes
		}
		attributes = attributes.Merge(m.Attributes)
	}
	if before == nil {
		free, full := a.newOrdinal(home.population, nodes)
		if full != nil {
			return refuse(full)
		}
		ordinal = free
	} else if !slices.Equal(before.Nodes, nodes) {
		home.countNodes(before.Nodes, ^uint64(0))
		home.countNodes(nodes, 1)
	}
	entry := cairn.Entry{Key: m.Key, Nodes: nodes, Attributes: attributes, Version: version}
	a.note(home, before, a.keep(k, home.population, before, item{entry: entry, ordinal: ordinal}))
	out.Version, out.Nodes = version, nodes
	return out
}

// newOrdinal is the ordinal of a new entry on nodes, which is a population's from
// now on. KindExhausted (ORDINALS_EXHAUSTED): there is none.
func (a *applier) newOrdinal(of *population, nodes []cairn.NodeID) (uint32, *cairn.Error) {
	free, ok := a.x.ordinals.take(of)
	if !ok {
		return 0, errOrdinals
	}
	of.add(free, nodes)
	return free, nil
}

// remove takes the entry under a key out of a population; gone is its item.
func (a *applier) remove(k *keyspace, from *population, before *cairn.Entry, gone item) *item {
	from.remove(gone.ordinal, before.Nodes)
	if a.project != nil {
		a.project.Delete(a.x.numberOf(from), gone.ordinal)
	}
	a.state.active.freed = append(a.state.active.freed, gone.ordinal)
	gone.deleted = true
	return a.keep(k, from, before, gone)
}

// keep makes an item what there is of a key of a population, in its views too.
func (a *applier) keep(k *keyspace, of *population, before *cairn.Entry, i item) *item {
	kept := a.hold(k, of, before, i)
	if a.project != nil && !kept.deleted {
		a.project.Put(a.x.numberOf(of), kept.ordinal, &kept.entry)
	}
	return kept
}

// hold makes an item what there is of a key of a population, but for its views.
func (a *applier) hold(k *keyspace, of *population, before *cairn.Entry, i item) *item {
	i.index = a.index
	a.items = append(a.items, i) // within its capacity: its elements stay in place
	kept := &a.items[len(a.items)-1]
	of.changed = a.x.generation
	if !i.staged { // what comes with a shard is no load of its
		of.load.writes++
	}
	var now *cairn.Entry
	if !kept.deleted {
		now = &kept.entry
	}
	of.sum += a.x.hasher.hash(now) - a.x.hasher.hash(before)
	a.x.effects.entry(before)
	a.x.effects.entry(now)
	a.x.pending.put(k.UID, kept)
	return kept
}

// note notes a change for those who watch.
func (a *applier) note(home *shard, before *cairn.Entry, now *item) {
	change := cairn.Change{
		Key: now.entry.Key, Shard: home.ID, Before: before,
		Stamp: cairn.Stamp{Epoch: home.Epoch, Index: a.index}, Time: a.time,
	}
	if !now.deleted {
		change.After = &now.entry
	}
	a.changes = append(a.changes, change)
}

// find is a key's entry and its ordinal as of the mutation before, nil if it
// has none.
func (a *applier) find(key cairn.Key) (*cairn.Entry, uint32) {
	uid := a.view.keyspace.UID
	i := a.x.pending.get(uid, key)
	if i == nil {
		i = a.view.item(key)
	}
	if i != nil {
		if i.deleted || a.view.hidden(i.ordinal) {
			return nil, 0
		}
		return &i.entry, i.ordinal
	}
	value := a.reader.find(uid, key)
	if value == nil {
		return nil, 0
	}
	if cap(a.nodes)-len(a.nodes) < len(value) {
		a.nodes = make([]cairn.NodeID, 0, max(len(value), 64))
	}
	first := len(a.nodes)
	ordinal, slab, ok := decodeEntryValue(value, a.nodes)
	if !ok {
		panic(corrupt("ENTRY_MALFORMED", "the entry of key %s is not what was written", key))
	}
	if a.view.hidden(ordinal) {
		return nil, 0
	}
	a.nodes = slab
	record, err := a.reader.record(uid, value, ordinal)
	if err != nil {
		panic(err)
	}
	return &cairn.Entry{
		Key:        key,
		Nodes:      slab[first:len(slab):len(slab)],
		Attributes: bytes.Clone(record.attributes),
		Version:    record.version,
	}, ordinal
}
