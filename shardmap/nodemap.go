package shardmap

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cairn"
	"cairn/shardmap/catalog"
)

// NodeMap is nodes of one cluster that take the place of another's, by their
// numbers: "1=3,2=4" has 3 take the place of 1 and 4 that of 2. Ascending, and each
// on the left once; empty for none. It is text so that moves can be compared.
type NodeMap string

// ByID are the nodes by those that they take the place of; nil for none. What is
// not Valid has those up to the first that is none.
func (n NodeMap) ByID() map[cairn.NodeID]cairn.NodeID {
	byID, _ := n.parse()
	return byID
}

// Valid tells whether n is as newNodeMap writes it.
func (n NodeMap) Valid() bool {
	byID, ok := n.parse()
	return ok && newNodeMap(byID) == n
}

func (n NodeMap) parse() (byID map[cairn.NodeID]cairn.NodeID, ok bool) {
	if n == "" {
		return nil, true
	}
	byID = make(map[cairn.NodeID]cairn.NodeID)
	for pair := range strings.SplitSeq(string(n), ",") {
		left, right, _ := strings.Cut(pair, "=")
		from, err := strconv.ParseUint(left, 10, 32)
		if err != nil {
			return byID, false
		}
		to, err := strconv.ParseUint(right, 10, 32)
		if err != nil {
			return byID, false
		}
		byID[cairn.NodeID(from)] = cairn.NodeID(to)
	}
	return byID, true
}

func newNodeMap(byID map[cairn.NodeID]cairn.NodeID) NodeMap {
	var pairs []string
	for _, from := range slices.Sorted(maps.Keys(byID)) {
		pairs = append(pairs, fmt.Sprintf("%d=%d", from, byID[from]))
	}
	return NodeMap(strings.Join(pairs, ","))
}

// NodesStay tells whether no key's node changes with a move: each of the owner's nodes
// has one take its place that is the same server, by its address.
func (m *Map) NodesStay(move Move) bool {
	if move.Within() {
		cluster, found := m.catalog.ClusterByUID(move.To)
		return found && SameServers(cluster, move.Relocation.Rule())
	}
	return m.nodesStay(move.From, move.To, move.Nodes)
}

func (m *Map) nodesStay(owner, target cairn.UID, nodes NodeMap) bool {
	from, found := m.catalog.ClusterByUID(owner)
	to, known := m.catalog.ClusterByUID(target)
	if !found || !known || nodes == "" {
		return false
	}
	byID := nodes.ByID()
	return !slices.ContainsFunc(from.Nodes, func(old cairn.Node) bool {
		next, found := to.NodeByID(byID[old.ID])
		return !found || next.Address != old.Address
	})
}

// nodeMap is the nodes of a target by the names of the owner's. KindInvalid (field
// "node_map"): a cluster does not have one of them (NODE_UNKNOWN), or a target's is
// not active (NODE_NOT_ACTIVE).
func (m *Map) nodeMap(owner cairn.UID, to *catalog.Cluster, names map[string]string) (NodeMap, error) {
	from, found := m.catalog.ClusterByUID(owner)
	if !found && len(names) > 0 {
		return "", cairn.Errorf(cairn.KindPrecondition, "CLUSTER_GONE", "there is no cluster %s any more", owner)
	}
	byID := make(map[cairn.NodeID]cairn.NodeID, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, known := from.NodeByName(name)
		if !known {
			return "", cairn.Invalid("node_map", "NODE_UNKNOWN", "cluster %s, which owns the shard, has no node %q", from.Name, name)
		}
		next, known := to.NodeByName(names[name])
		switch {
		case !known:
			return "", cairn.Invalid("node_map", "NODE_UNKNOWN", "cluster %s, where the shard shall go, has no node %q", to.Name, names[name])
		case next.State != cairn.NodeActive:
			return "", cairn.Invalid("node_map", "NODE_NOT_ACTIVE", "node %s of cluster %s is %s, and gets no entries", next.Name, to.Name, next.State)
		}
		byID[old.ID] = next.ID
	}
	return newNodeMap(byID), nil
}
