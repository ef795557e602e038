package indexv1

import (
	"encoding/binary"
	"slices"
	"time"

	"cairn"
)

// AppendEntries packs ListResponse.entries.
func AppendEntries(out []byte, entries []cairn.Entry) []byte {
	out = binary.AppendUvarint(out, uint64(len(entries)))
	for i := range entries {
		out = appendBytes(out, entries[i].Key)
		out = appendEntry(out, &entries[i])
	}
	return out
}

// DecodeEntries appends what AppendEntries packed to entries. Keys and
// attributes are slices of blob. It fails as DecodeKeys does.
func DecodeEntries(blob []byte, entries []cairn.Entry) ([]cairn.Entry, error) {
	r := reader{rest: blob}
	n := r.count(6)
	if err := checkBatch("entries", n); err != nil {
		return nil, err
	}
	entries = slices.Grow(entries, n)
	var arena []cairn.NodeID
	for range n {
		each := cairn.Entry{Key: r.bytes()}
		flags, nodes := r.head()
		arena = r.entry(nodes, &each, arena)
		if r.failed || flags != 0 {
			r.fail()
			break
		}
		entries = append(entries, each)
	}
	if !r.done() {
		return nil, broken("entries")
	}
	return entries, nil
}

// appendEntry packs an entry without its key.
func appendEntry(out []byte, e *cairn.Entry) []byte {
	out = appendHead(out, 0, len(e.Nodes))
	out = appendNodes(out, e.Nodes)
	out = appendVersion(out, cairn.Stamp{}, e.Version)
	return appendBytes(out, e.Attributes)
}

// entry reads what follows the head that appendEntry wrote.
func (r *reader) entry(nodes int, e *cairn.Entry, arena []cairn.NodeID) []cairn.NodeID {
	e.Nodes, arena = r.nodes(nodes, arena)
	e.Version = r.version(cairn.Stamp{})
	e.Attributes = r.bytes()
	return arena
}

// Flags of a change.
const (
	changeBefore = 0b01
	changeAfter  = 0b10
)

// AppendChanges packs WatchResponse.changes. Times are kept to the
// microsecond.
func AppendChanges(out []byte, changes []cairn.Change) []byte {
	out = binary.AppendUvarint(out, uint64(len(changes)))
	var last cairn.Stamp
	var lastTime int64
	for i := range changes {
		each := &changes[i]
		var flags byte
		if each.Before != nil {
			flags |= changeBefore
		}
		if each.After != nil {
			flags |= changeAfter
		}
		out = append(out, flags)
		out = appendBytes(out, each.Key)
		out = binary.AppendUvarint(out, uint64(each.Shard))
		out = appendDelta(out, last.Epoch, each.Stamp.Epoch)
		out = appendDelta(out, last.Index, each.Stamp.Index)
		last = each.Stamp
		at := each.Time.UnixMicro()
		out = binary.AppendVarint(out, at-lastTime)
		lastTime = at
		if each.Before != nil {
			out = appendEntry(out, each.Before)
		}
		if each.After != nil {
			out = appendEntry(out, each.After)
		}
	}
	return out
}

// DecodeChanges appends what AppendChanges packed to changes. Keys and
// attributes are slices of blob; times are in UTC. It fails as DecodeKeys
// does.
func DecodeChanges(blob []byte, changes []cairn.Change) ([]cairn.Change, error) {
	r := reader{rest: blob}
	n := r.count(6)
	if err := checkBatch("changes", n); err != nil {
		return nil, err
	}
	changes = slices.Grow(changes, n)
	var arena []cairn.NodeID
	var last cairn.Stamp
	var lastTime int64
	for range n {
		flags := r.byte()
		each := cairn.Change{Key: r.bytes(), Shard: cairn.ShardID(r.uvarint())}
		last.Epoch = r.delta(last.Epoch)
		last.Index = r.delta(last.Index)
		each.Stamp = last
		lastTime += r.varint()
		each.Time = time.UnixMicro(lastTime).UTC()
		if flags&changeBefore != 0 {
			each.Before, arena = r.side(each.Key, arena)
		}
		if flags&changeAfter != 0 {
			each.After, arena = r.side(each.Key, arena)
		}
		if r.failed || flags > changeBefore|changeAfter {
			r.fail()
			break
		}
		changes = append(changes, each)
	}
	if !r.done() {
		return nil, broken("changes")
	}
	return changes, nil
}

// side reads the entry before or after a change.
func (r *reader) side(key cairn.Key, arena []cairn.NodeID) (*cairn.Entry, []cairn.NodeID) {
	e := &cairn.Entry{Key: key}
	flags, nodes := r.head()
	if flags != 0 {
		r.fail()
	}
	arena = r.entry(nodes, e, arena)
	return e, arena
}
