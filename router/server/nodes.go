package server

import (
	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// nodeTable is the nodes that a response refers to by position, each once.
// A response has few nodes and many references to them: most are found where
// the last ones were.
type nodeTable struct {
	nodes    []*cairn.Node
	refs     []*cairnv1.NodeRef
	position map[*cairn.Node]uint32 // beyond fewNodes
}

// fewNodes are found faster by looking through them than in a map.
const fewNodes = 16

func (t *nodeTable) add(cluster string, node *cairn.Node) uint32 {
	if t.position == nil {
		for i, known := range t.nodes {
			if known == node {
				return uint32(i)
			}
		}
	} else if at, known := t.position[node]; known {
		return at
	}
	at := uint32(len(t.nodes))
	t.nodes = append(t.nodes, node)
	t.refs = append(t.refs, nodeRef(cluster, node))
	switch {
	case t.position != nil:
		t.position[node] = at
	case len(t.nodes) == fewNodes:
		t.position = make(map[*cairn.Node]uint32, 2*fewNodes)
		for i, known := range t.nodes {
			t.position[known] = uint32(i)
		}
	}
	return at
}

func (t *nodeTable) addAll(cluster string, nodes []*cairn.Node) []uint32 {
	if len(nodes) == 0 {
		return nil
	}
	out := make([]uint32, len(nodes))
	for i, node := range nodes {
		out[i] = t.add(cluster, node)
	}
	return out
}

func nodeRef(cluster string, node *cairn.Node) *cairnv1.NodeRef {
	return &cairnv1.NodeRef{Cluster: cluster, Node: node.Name, Address: node.Address, Zone: node.Zone}
}

func nodeRefs(cluster string, nodes []*cairn.Node) []*cairnv1.NodeRef {
	var out []*cairnv1.NodeRef
	for _, node := range nodes {
		out = append(out, nodeRef(cluster, node))
	}
	return out
}
