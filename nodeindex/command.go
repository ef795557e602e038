package nodeindex

import (
	"encoding/binary"
	"time"

	"cairn"
)

// A command's first byte is its kind and format.
const (
	commandWrites byte = 1
	commandAssign byte = 2
	commandMark   byte = 3
	// commandNamedWrites has requests with ids among its own.
	commandNamedWrites byte = 4
	// The commands of a move: at its source, and at its target.
	commandFence byte = 5
	commandStage byte = 6
	commandDrop  byte = 7
	// commandPlace is commandStage with nodes that stand, whichever ones an entry
	// had before.
	commandPlace byte = 8
)

// writeCommand is write requests joined into one log entry.
//
// Encoded: the kind; varint of the time in microseconds since 1970; the number
// of requests; for each the keyspace's uid (8 bytes) and the number of
// mutations; for each of these a byte of flags, the key, the condition's
// version if there is one, the nodes if there are any, and, but for a delete,
// the attributes. Numbers are uvarints; bytes have their length in front.
//
// With commandNamedWrites, the window in microseconds and the bound in bytes
// come behind the time; each request has behind its keyspace a byte that is 1
// if it has an id, then the id (16 bytes) and the varint of the issue time; and
// each mutation of such a request begins with its position, as the difference
// to what would follow the one before.
type writeCommand struct {
	time     int64
	requests []keyspaceWrites
	bounds   requestBounds // zero if no request has an id

	// Backing of the slices above, reused from command to command.
	mutations []mutation
}

// mostBound is the highest bound that is accepted, so that sums with a time
// stay within 64 bits.
const mostBound = 1 << 62

// keyspaceWrites are the mutations of one request.
type keyspaceWrites struct {
	keyspace  cairn.UID
	name      requestName // zero if the request has no id
	mutations []mutation
}

// mutation is a cairn.Mutation as it stands in the log.
type mutation struct {
	cairn.Mutation
	// chosen tells that Nodes are the leader's choice, for the case that the
	// key is new, rather than the writer's.
	chosen bool
}

// The flags of a mutation; its operation is in the low two bits.
const (
	flagOperation byte = 3
	flagCondition byte = 4
	flagNodes     byte = 8
	flagChosen    byte = 16
	flagsKnown    byte = 31
)

// requestBounds say for how long requests with ids are remembered, in
// microseconds, and in how many bytes. They are the leader's word, so that all
// replicas do alike.
type requestBounds struct{ window, limit int64 }

// appendWriteHeader appends what precedes the requests; without bounds none of
// them has an id.
func appendWriteHeader(out []byte, now time.Time, bounds *requestBounds, requests int) []byte {
	kind := commandWrites
	if bounds != nil {
		kind = commandNamedWrites
	}
	out = append(out, kind)
	out = binary.AppendVarint(out, now.UnixMicro())
	if bounds != nil {
		out = binary.AppendUvarint(out, uint64(bounds.window))
		out = binary.AppendUvarint(out, uint64(bounds.limit))
	}
	return binary.AppendUvarint(out, uint64(requests))
}

func appendRequestHeader(out []byte, keyspace cairn.UID, mutations int) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(keyspace))
	return binary.AppendUvarint(out, uint64(mutations))
}

// appendNamedRequestHeader is appendRequestHeader in a command with bounds.
func appendNamedRequestHeader(out []byte, keyspace cairn.UID, name requestName, mutations int) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(keyspace))
	if name.isZero() {
		out = append(out, 0)
	} else {
		out = append(append(out, 1), name.id[:]...)
		out = binary.AppendVarint(out, name.issued)
	}
	return binary.AppendUvarint(out, uint64(mutations))
}

func appendMutation(out []byte, m *cairn.Mutation, nodes []cairn.NodeID, chosen bool) []byte {
	flags := byte(0) // an operation that there is not: refused when it is applied
	if m.Operation <= cairn.Delete {
		flags = byte(m.Operation)
	}
	if m.Condition.Present {
		flags |= flagCondition
	}
	if len(nodes) > 0 {
		flags |= flagNodes
	}
	if chosen {
		flags |= flagChosen
	}
	out = append(out, flags)
	out = appendBytes(out, m.Key)
	if m.Condition.Present {
		out = appendVersion(out, m.Condition.Version)
	}
	if len(nodes) > 0 {
		out = binary.AppendUvarint(out, uint64(len(nodes)))
		out = appendNodes(out, nodes)
	}
	if m.Operation != cairn.Delete {
		out = appendBytes(out, m.Attributes)
	}
	return out
}

// decode reads a write command, its kind included, into c, which it reuses.
// Keys and attributes are not copied. It is false for anything but what
// Prepare makes.
func (c *writeCommand) decode(command []byte) bool {
	c.requests, c.mutations, c.bounds = c.requests[:0], c.mutations[:0], requestBounds{}
	d := decoder{rest: command}
	kind := d.byte()
	if kind != commandWrites && kind != commandNamedWrites {
		return false
	}
	c.time = d.varint()
	if kind == commandNamedWrites {
		c.bounds = requestBounds{window: int64(d.number(mostBound)), limit: int64(d.number(mostBound))}
	}
	var nodes []cairn.NodeID
	requests := d.count(9)
	for range requests {
		first := len(c.mutations)
		keyspace := cairn.UID(d.uint64())
		var name requestName
		if kind == commandNamedWrites && d.number(1) == 1 {
			copy(name.id[:], d.take(len(name.id)))
			name.issued = d.varint()
			if name.isZero() {
				return false
			}
		}
		position := uint32(0)
		for range d.count(2) {
			if !name.isZero() {
				position += uint32(d.number(1<<32 - 1))
			}
			m, slab := d.mutation(nodes)
			m.Position = position
			position++
			nodes = slab
			if !d.ok() {
				return false
			}
			c.mutations = append(c.mutations, m)
		}
		// The array may move while it grows: the slices are cut at the end.
		c.requests = append(c.requests, keyspaceWrites{keyspace: keyspace, name: name, mutations: c.mutations[first:]})
	}
	first := 0
	for i := range c.requests {
		n := len(c.requests[i].mutations)
		c.requests[i].mutations = c.mutations[first : first+n]
		first += n
	}
	return d.done()
}

// mixed reports whether the requests are of more than one keyspace.
func (c *writeCommand) mixed() bool {
	for i := range c.requests {
		if c.requests[i].keyspace != c.requests[0].keyspace {
			return true
		}
	}
	return false
}

// own gives mutations memory of their own, instead of the whole command's.
func own(mutations []mutation) {
	size, count := 0, 0
	for i := range mutations {
		m := &mutations[i]
		size += len(m.Key) + len(m.Attributes)
		count += len(m.Nodes)
	}
	slab, nodes := make([]byte, 0, size), make([]cairn.NodeID, 0, count)
	keep := func(value []byte) []byte {
		slab = append(slab, value...) // within its capacity
		return slab[len(slab)-len(value) : len(slab) : len(slab)]
	}
	for i := range mutations {
		m := &mutations[i]
		m.Key, m.Attributes = keep(m.Key), keep(m.Attributes)
		if n := len(m.Nodes); n > 0 {
			nodes = append(nodes, m.Nodes...)
			m.Nodes = nodes[len(nodes)-n : len(nodes) : len(nodes)]
		}
	}
}

// mutation decodes one; its nodes are carved from a slab that is handed on.
func (d *decoder) mutation(nodes []cairn.NodeID) (mutation, []cairn.NodeID) {
	var m mutation
	flags := d.byte()
	m.Operation = cairn.Operation(flags & flagOperation)
	m.chosen = flags&flagChosen != 0
	if flags&^flagsKnown != 0 {
		d.fail()
	}
	m.Key = d.bytes()
	if flags&flagCondition != 0 {
		m.Condition = cairn.Condition{Present: true, Version: d.version()}
	}
	if flags&flagNodes != 0 {
		count := d.count(1)
		if cap(nodes)-len(nodes) < count {
			nodes = make([]cairn.NodeID, 0, max(count, 64))
		}
		first := len(nodes)
		for range count {
			nodes = append(nodes, cairn.NodeID(d.number(1<<32-1)))
		}
		m.Nodes = nodes[first:len(nodes):len(nodes)]
	}
	if m.Operation != cairn.Delete {
		m.Attributes = d.bytes()
	}
	return m, nodes
}

// assignCommand leads from the assignment at one map revision to that at a
// later one.
//
// Encoded: the kind; both revisions; the changed keyspaces; the uids of the
// removed ones; the views of keyspaces in which they changed; whether the nodes changed, and them; the shards that are new
// or changed; those removed; the changed records.
type assignCommand struct {
	from, to         uint64
	keyspaces        []cairn.Keyspace
	removedKeyspaces []cairn.UID
	// views are of the keyspaces in which any version has changed: all that
	// there are from now on.
	views         []keyspaceViews
	nodesChanged  bool
	nodes         []cairn.Node
	shards        []cairn.Shard
	removedShards []shardName
	// records are those that have changed; one that is gone has no value.
	records []cairn.Record
}

// shardName names a shard in an index.
type shardName struct {
	keyspace cairn.UID
	id       cairn.ShardID
}

func (c *assignCommand) encode() []byte {
	out := []byte{commandAssign}
	out = binary.AppendUvarint(out, c.from)
	out = binary.AppendUvarint(out, c.to)
	out = binary.AppendUvarint(out, uint64(len(c.keyspaces)))
	for i := range c.keyspaces {
		out = appendKeyspace(out, &c.keyspaces[i])
	}
	out = binary.AppendUvarint(out, uint64(len(c.removedKeyspaces)))
	for _, uid := range c.removedKeyspaces {
		out = binary.BigEndian.AppendUint64(out, uint64(uid))
	}
	out = appendKeyspaceViews(out, c.views)
	if c.nodesChanged {
		out = appendNodeList(append(out, 1), c.nodes)
	} else {
		out = append(out, 0)
	}
	out = binary.AppendUvarint(out, uint64(len(c.shards)))
	for i := range c.shards {
		out = appendShard(out, &c.shards[i])
	}
	out = binary.AppendUvarint(out, uint64(len(c.removedShards)))
	for _, s := range c.removedShards {
		out = binary.BigEndian.AppendUint64(out, uint64(s.keyspace))
		out = binary.AppendUvarint(out, uint64(s.id))
	}
	return appendRecords(out, c.records)
}

// decode reads what encode writes, copying what it keeps, and is false for
// anything else.
func (c *assignCommand) decode(command []byte) bool {
	d := decoder{rest: command}
	if d.byte() != commandAssign {
		return false
	}
	c.from, c.to = d.uvarint(), d.uvarint()
	for range d.count(8) {
		c.keyspaces = append(c.keyspaces, d.keyspace())
	}
	for range d.count(8) {
		c.removedKeyspaces = append(c.removedKeyspaces, cairn.UID(d.uint64()))
	}
	c.views = d.keyspaceViews()
	switch d.byte() {
	case 0:
	case 1:
		c.nodesChanged = true
		c.nodes = d.nodeList()
	default:
		d.fail()
	}
	for range d.count(8) {
		c.shards = append(c.shards, d.shard())
	}
	for range d.count(8) {
		c.removedShards = append(c.removedShards, shardName{cairn.UID(d.uint64()), cairn.ShardID(d.uvarint())})
	}
	if len(d.rest) > 0 { // commands of before have none
		c.records = d.records()
	}
	return d.done()
}
