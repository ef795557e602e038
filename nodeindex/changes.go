package nodeindex

import (
	"encoding/binary"
	"time"

	"cairn"
	"cairn/nodeindex/changelog"
)

// The changes that one request made are a record of the change log. Its payload
// is the number of changes and, for each, a byte of flags, the key, the shard,
// its epoch, and the entry before and after, where there is one: version, number
// of nodes, nodes, attributes. Numbers are uvarints; bytes have their length in
// front.
const (
	changeBefore byte = 1
	changeAfter  byte = 2
)

func appendChanges(out []byte, changes []cairn.Change) []byte {
	out = binary.AppendUvarint(out, uint64(len(changes)))
	for i := range changes {
		c := &changes[i]
		flags := byte(0)
		if c.Before != nil {
			flags |= changeBefore
		}
		if c.After != nil {
			flags |= changeAfter
		}
		out = append(out, flags)
		out = appendBytes(out, c.Key)
		out = binary.AppendUvarint(out, uint64(c.Shard))
		out = binary.AppendUvarint(out, c.Stamp.Epoch)
		for _, e := range []*cairn.Entry{c.Before, c.After} {
			if e != nil {
				out = appendVersion(out, e.Version)
				out = binary.AppendUvarint(out, uint64(len(e.Nodes)))
				out = appendNodes(out, e.Nodes)
				out = appendBytes(out, e.Attributes)
			}
		}
	}
	return out
}

// decodeChanges reads the changes of a record, whose payload they keep; ok is
// false for anything but what appendChanges writes.
func decodeChanges(r *changelog.Record) (changes []cairn.Change, ok bool) {
	d := decoder{rest: r.Payload}
	changes = make([]cairn.Change, d.count(4))
	entries := make([]cairn.Entry, 2*len(changes))
	for i := range changes {
		flags := d.byte()
		c := &changes[i]
		c.Key = d.bytes()
		c.Shard = cairn.ShardID(d.uvarint())
		c.Stamp = cairn.Stamp{Epoch: d.uvarint(), Index: r.Index}
		c.Time = time.UnixMicro(r.Time).UTC()
		if flags&changeBefore != 0 {
			c.Before = &entries[2*i]
			d.changedEntry(c.Key, c.Before)
		}
		if flags&changeAfter != 0 {
			c.After = &entries[2*i+1]
			d.changedEntry(c.Key, c.After)
		}
	}
	return changes, d.done()
}

func (d *decoder) changedEntry(key cairn.Key, e *cairn.Entry) {
	e.Key, e.Version, e.Nodes, e.Attributes = key, d.version(), d.nodes(), d.bytes()
}
