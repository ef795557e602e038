package nodeindex

import (
	"bytes"
	"slices"
	"time"

	"cairn"
	"cairn/nodeindex/projection"
)

// Result is what a command did.
type Result struct {
	// Answer is the applied index and the map revision after the command.
	cairn.Answer
	// Requests are the outcomes of a write command's mutations, one slice a
	// request, in the order given to Prepare.
	Requests [][]cairn.Written
	// Err is why the command as a whole did nothing: KindConflict
	// (ASSIGNMENT_SUPERSEDED) for a Diff made against another assignment than
	// the log's (make it anew), KindCorrupt (COMMAND_MALFORMED) for bytes that
	// are no command, KindInvalid (ASSIGNMENT_INVALID) for an assignment with
	// overlapping shards, KindUnavailable (CLOSED).
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
	default:
		result.Err = errCommand
	}
	x.effects.end()
	x.term = term
	x.position.advance(index, result.Revision)
	return result
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
	if !a.named {
		return a.carryOut(k, home, m, version)
	}
	if known, found := a.known[m.Position]; found {
		return known.written(out.Stamp)
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
			home.remove(ordinal, before.Nodes)
			if a.project != nil {
				a.project.Delete(a.x.numberOf(home.population), ordinal)
			}
			a.state.active.freed = append(a.state.active.freed, ordinal)
			a.put(k, home, item{entry: cairn.Entry{Key: m.Key, Version: version}, deleted: true, ordinal: ordinal}, before)
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
		free, ok := a.x.ordinals.take(home.population)
		if !ok {
			return refuse(errOrdinals)
		}
		ordinal = free
		home.add(ordinal, nodes)
	} else if !slices.Equal(before.Nodes, nodes) {
		home.countNodes(before.Nodes, ^uint64(0))
		home.countNodes(nodes, 1)
	}
	entry := cairn.Entry{Key: m.Key, Nodes: nodes, Attributes: attributes, Version: version}
	a.put(k, home, item{entry: entry, ordinal: ordinal}, before)
	out.Version, out.Nodes = version, nodes
	return out
}

// put notes a key's new item and its change.
func (a *applier) put(k *keyspace, home *shard, i item, before *cairn.Entry) {
	i.index = a.index
	a.items = append(a.items, i) // within its capacity: its elements stay in place
	kept := &a.items[len(a.items)-1]
	home.changed = a.x.generation
	a.x.effects.entry(before)
	if kept.deleted {
		a.x.effects.entry(nil)
	} else {
		a.x.effects.entry(&kept.entry)
	}
	a.x.pending.put(k.UID, kept)
	if a.project != nil && !kept.deleted {
		a.project.Put(a.x.numberOf(home.population), kept.ordinal, &kept.entry)
	}
	change := cairn.Change{
		Key: i.entry.Key, Shard: home.ID, Before: before,
		Stamp: cairn.Stamp{Epoch: home.Epoch, Index: a.index}, Time: a.time,
	}
	if !i.deleted {
		change.After = &kept.entry
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
