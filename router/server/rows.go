package server

import (
	"google.golang.org/protobuf/encoding/protowire"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/wire"
)

// The fields of QueryResponse and ViewRow that are written by hand.
const (
	fieldRows = 1

	rowKey        = 1
	rowPrimary    = 2
	rowReplicas   = 3
	rowAttributes = 4
)

// fillRows puts a page's rows into a response, and the nodes that they refer
// to. The rows are written as bytes and given to the message as fields that it
// does not know, which it sends as they are: a page of 50 rows would otherwise
// be 500 objects and 50 maps.
func fillRows(out *cairnv1.QueryResponse, rows []cairn.NamedRow) {
	if len(rows) == 0 {
		return
	}
	var table nodeTable
	raw := make([]byte, 0, sizeOfRows(rows))
	var scratch []byte
	for i := range rows {
		scratch = appendRow(scratch[:0], &rows[i], &table)
		raw = protowire.AppendTag(raw, fieldRows, protowire.BytesType)
		raw = protowire.AppendBytes(raw, scratch)
	}
	out.ProtoReflect().SetUnknown(raw)
	out.Nodes = table.refs
}

// sizeOfRows is about how many bytes the rows have, rather more than less.
func sizeOfRows(rows []cairn.NamedRow) (size int) {
	for i := range rows {
		row := &rows[i]
		size += 16 + len(row.Key) + 3*len(row.Replicas)
		for name, value := range row.Attributes.All() {
			size += 20 + len(name) + len(value.Text())
		}
	}
	return size
}

// appendRow appends the fields of a ViewRow.
func appendRow(out []byte, row *cairn.NamedRow, table *nodeTable) []byte {
	out = protowire.AppendTag(out, rowKey, protowire.BytesType)
	out = protowire.AppendBytes(out, row.Key)
	if primary := table.add(row.Cluster, row.Primary); primary != 0 {
		out = protowire.AppendTag(out, rowPrimary, protowire.VarintType)
		out = protowire.AppendVarint(out, uint64(primary))
	}
	for _, replica := range row.Replicas {
		// One by one, which every reader of a packed field takes.
		out = protowire.AppendTag(out, rowReplicas, protowire.VarintType)
		out = protowire.AppendVarint(out, uint64(table.add(row.Cluster, replica)))
	}
	return wire.AppendValues(out, rowAttributes, row.Attributes.All())
}
