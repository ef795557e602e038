package nodeindex

import (
	"bytes"
	"encoding/binary"
	"slices"

	"cairn"
)

// This file is the encoding of keyspaces, nodes and shards, which commands and
// the file share.

func appendKeyspace(out []byte, k *cairn.Keyspace) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(k.UID))
	out = appendBytes(out, []byte(k.Name))
	out = append(out, byte(k.Placement.Scheme))
	out = appendBytes(out, []byte(k.Placement.Affinity))
	out = binary.AppendUvarint(out, uint64(k.Replicas))
	deleting := byte(0)
	if k.Deleting {
		deleting = 1
	}
	out = append(out, deleting)
	attributes := attributesOf(k.Schema)
	out = binary.AppendUvarint(out, uint64(len(attributes)))
	for _, a := range attributes {
		out = binary.AppendUvarint(out, uint64(a.ID))
		out = appendBytes(out, []byte(a.Name))
		kind := byte(a.Type)
		if a.Unindexed {
			kind |= unindexed
		}
		out = append(out, kind)
	}
	return out
}

// unindexed marks an attribute's type byte.
const unindexed byte = 0x80

func attributesOf(schema *cairn.Schema) []cairn.AttributeSpec {
	if schema == nil {
		return nil
	}
	return schema.Attributes()
}

func (d *decoder) keyspace() cairn.Keyspace {
	k := cairn.Keyspace{UID: cairn.UID(d.uint64()), Name: string(d.bytes())}
	k.Placement.Scheme = cairn.Scheme(d.byte())
	k.Placement.Affinity = string(d.bytes())
	k.Replicas = int(d.number(1 << 16))
	k.Deleting = d.number(1) == 1
	var attributes []cairn.AttributeSpec
	for range d.count(3) {
		a := cairn.AttributeSpec{ID: cairn.AttributeID(d.number(1<<32 - 1)), Name: string(d.bytes())}
		kind := d.byte()
		a.Type, a.Unindexed = cairn.Type(kind&^unindexed), kind&unindexed != 0
		attributes = append(attributes, a)
	}
	schema, err := cairn.NewSchema(attributes)
	if err != nil || k.Placement.Scheme != cairn.SchemeHash && k.Placement.Scheme != cairn.SchemeRange {
		d.fail()
	}
	k.Schema = schema
	return k
}

func sameKeyspace(a, b *cairn.Keyspace) bool {
	return a.UID == b.UID && a.Name == b.Name && a.Placement == b.Placement && a.Replicas == b.Replicas &&
		a.Deleting == b.Deleting && slices.Equal(attributesOf(a.Schema), attributesOf(b.Schema))
}

func appendNodeList(out []byte, nodes []cairn.Node) []byte {
	out = binary.AppendUvarint(out, uint64(len(nodes)))
	for _, n := range nodes {
		out = binary.AppendUvarint(out, uint64(n.ID))
		out = appendBytes(out, []byte(n.Name))
		out = appendBytes(out, []byte(n.Address))
		out = appendBytes(out, []byte(n.Zone))
		out = binary.AppendUvarint(out, uint64(n.Weight))
		out = append(out, byte(n.State))
	}
	return out
}

func (d *decoder) nodeList() []cairn.Node {
	var nodes []cairn.Node
	for range d.count(6) {
		nodes = append(nodes, cairn.Node{
			ID:      cairn.NodeID(d.number(1<<32 - 1)),
			Name:    string(d.bytes()),
			Address: string(d.bytes()),
			Zone:    string(d.bytes()),
			Weight:  uint32(d.number(1<<32 - 1)),
			State:   cairn.NodeState(d.byte()),
		})
	}
	return nodes
}

func appendShard(out []byte, s *cairn.Shard) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(s.Keyspace))
	out = binary.AppendUvarint(out, uint64(s.ID))
	out = appendBytes(out, s.Start)
	out = appendBytes(out, s.End)
	out = binary.AppendUvarint(out, s.Epoch)
	return binary.BigEndian.AppendUint64(out, uint64(s.Move))
}

func (d *decoder) shard() cairn.Shard {
	return cairn.Shard{
		Keyspace: cairn.UID(d.uint64()),
		ID:       cairn.ShardID(d.uvarint()),
		Start:    bytes.Clone(d.bytes()),
		End:      bytes.Clone(d.bytes()),
		Epoch:    d.uvarint(),
		Move:     cairn.UID(d.uint64()),
	}
}

func sameBounds(a, b *cairn.Shard) bool {
	return bytes.Equal(a.Start, b.Start) && bytes.Equal(a.End, b.End)
}

func sameShard(a, b *cairn.Shard) bool {
	return a.Epoch == b.Epoch && a.Move == b.Move && sameBounds(a, b)
}
