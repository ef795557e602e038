package projection

import (
	"encoding/binary"

	"cairn"
)

// nodeLists numbers the different lists of nodes that entries have: there are
// few, since entries are many and nodes are not. A list keeps its number; the
// lists are read by snapshots while new ones are appended.
type nodeLists struct {
	codes map[string]int64
	lists [][]cairn.NodeID
	key   []byte // reused
}

func newNodeLists() *nodeLists { return &nodeLists{codes: map[string]int64{}} }

// value is a list's number in the column of nodes.
func (l *nodeLists) value(nodes []cairn.NodeID) cairn.Attribute {
	return cairn.Attribute{ID: nodesColumn.ID, Value: cairn.Int(l.code(nodes))}
}

// code is a list's number, a new one if the list is new.
func (l *nodeLists) code(nodes []cairn.NodeID) int64 {
	l.key = l.key[:0]
	for _, node := range nodes {
		l.key = binary.AppendUvarint(l.key, uint64(node))
	}
	if code, known := l.codes[string(l.key)]; known {
		return code
	}
	code := int64(len(l.lists))
	l.codes[string(l.key)] = code
	l.lists = append(l.lists, append([]cairn.NodeID(nil), nodes...))
	return code
}
