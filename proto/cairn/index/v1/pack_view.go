package indexv1

import (
	"encoding/binary"
	"math"
	"slices"

	"cairn"
)

// AppendRows packs PageAnswer.rows. A sort value that is among the attributes
// too is sent twice: it is a few bytes, and the merge of pages from many
// clusters would have to look for it in the attributes of every row.
func AppendRows(out []byte, rows []cairn.ViewRow) []byte {
	out = binary.AppendUvarint(out, uint64(len(rows)))
	for i := range rows {
		each := &rows[i]
		// A sort has few enough fields for their number to be the flags.
		out = appendHead(out, byte(len(each.Values)), len(each.Nodes))
		out = appendBytes(out, each.Key)
		for j := range each.Values {
			out = appendValue(out, &each.Values[j])
		}
		out = appendNodes(out, each.Nodes)
		out = appendBytes(out, each.Attributes)
	}
	return out
}

// DecodeRows appends what AppendRows packed to rows. Keys and attributes are
// slices of blob; the values of all rows share one allocation, their strings
// another and the nodes a third. It fails as DecodeKeys does.
func DecodeRows(blob []byte, rows []cairn.ViewRow) ([]cairn.ViewRow, error) {
	r := valueReader{reader: reader{rest: blob}, blob: blob}
	n := r.count(3)
	if err := checkBatch("rows", n); err != nil {
		return nil, err
	}
	before := len(rows)
	rows = slices.Grow(rows, n)[:before+n]
	var nodeArena []cairn.NodeID
	for i := range n {
		values, nodes := r.head()
		if nodeArena == nil && nodes > 0 {
			nodeArena = make([]cairn.NodeID, 0, min((n-i)*nodes, len(r.rest)))
		}
		each := &rows[before+i] // in place: a row is large to copy
		each.Key = r.bytes()
		each.Values = r.values(int(values), n-i)
		each.Nodes, nodeArena = r.nodes(nodes, nodeArena)
		each.Attributes = r.bytes()
		if r.failed {
			break
		}
	}
	if !r.done() {
		return nil, broken("rows")
	}
	return rows, nil
}

// RowsWithin is how many of the rows have at most so many bytes when they are
// packed, by a guess that is not too low; at least one, if there is one.
func RowsWithin(rows []cairn.ViewRow, most int) int {
	bytes := 0
	for i := range rows {
		each := &rows[i]
		bytes += 16 + len(each.Key) + len(each.Attributes) + binary.MaxVarintLen32*len(each.Nodes)
		for j := range each.Values {
			bytes += 1 + binary.MaxVarintLen64 + len(each.Values[j].Text())
		}
		if bytes > most && i > 0 {
			return i
		}
	}
	return len(rows)
}

// AppendGroups packs GroupsAnswer.groups.
func AppendGroups(out []byte, groups []cairn.Group) []byte {
	out = binary.AppendUvarint(out, uint64(len(groups)))
	for i := range groups {
		each := &groups[i]
		out = append(out, byte(len(each.Values)))
		for j := range each.Values {
			out = appendValue(out, &each.Values[j])
		}
		out = binary.AppendUvarint(out, uint64(each.Count))
	}
	return out
}

// DecodeGroups appends what AppendGroups packed to groups. Nothing of it
// refers to blob. It fails with KindCorrupt where blob is broken, and with
// KindInvalid (BATCH_TOO_LARGE) for more than cairn.MaxGroups groups.
func DecodeGroups(blob []byte, groups []cairn.Group) ([]cairn.Group, error) {
	r := valueReader{reader: reader{rest: blob}, blob: blob}
	n := r.count(2)
	if err := checkCount("groups", n, cairn.MaxGroups); err != nil {
		return nil, err
	}
	groups = slices.Grow(groups, n)
	for i := range n {
		each := cairn.Group{Values: r.values(int(r.byte()), n-i)}
		count := r.uvarint()
		if r.failed || count > math.MaxInt {
			r.fail()
			break
		}
		each.Count = int(count)
		groups = append(groups, each)
	}
	if !r.done() {
		return nil, broken("groups")
	}
	return groups, nil
}
