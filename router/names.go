package router

import (
	"cmp"
	"slices"

	"cairn"
	"cairn/shardmap/catalog"
)

// nodeByID is a cluster's node, shared with the catalog; nil if the catalog
// does not know the id (yet).
func nodeByID(cluster *catalog.Cluster, id cairn.NodeID) *cairn.Node {
	nodes := cluster.Nodes
	// Ids count from 1 and nodes are seldom removed: mostly this is the place.
	if at := int(id) - 1; at >= 0 && at < len(nodes) && nodes[at].ID == id {
		return &nodes[at]
	}
	at, found := slices.BinarySearchFunc(nodes, id, func(n cairn.Node, id cairn.NodeID) int { return cmp.Compare(n.ID, id) })
	if !found {
		return nil
	}
	return &nodes[at]
}

// naming turns the ids of one cluster's answers into names. The slabs are what
// slices of results are cut from, so that a batch has few allocations.
type naming struct {
	cluster  *catalog.Cluster
	keyspace *catalog.Keyspace
	// down is Config.Down.
	down   func(cluster cairn.UID, node cairn.NodeID) bool
	nodes  []*cairn.Node
	values cairn.NamedValues
}

// placed is the primary and the replicas of ids; false if the catalog lacks
// one of them.
func (n *naming) placed(ids []cairn.NodeID) (primary *cairn.Node, replicas []*cairn.Node, known bool) {
	if len(ids) == 0 {
		return nil, nil, true
	}
	if primary = nodeByID(n.cluster, ids[0]); primary == nil {
		return nil, nil, false
	}
	if len(ids) == 1 {
		return primary, nil, true
	}
	start := len(n.nodes)
	for _, id := range ids[1:] {
		node := nodeByID(n.cluster, id)
		if node == nil {
			return nil, nil, false
		}
		n.nodes = append(n.nodes, node)
	}
	return primary, n.nodes[start:len(n.nodes):len(n.nodes)], true
}

// answering are the nodes of ids that a reader is sent to: without those that are
// down, the first of the others as the primary. Where all are down none is better,
// and they are as they were placed. false as placed says.
func (n *naming) answering(ids []cairn.NodeID) (primary *cairn.Node, replicas []*cairn.Node, known bool) {
	primary, replicas, known = n.placed(ids)
	if !known || len(replicas) == 0 {
		return primary, replicas, known
	}
	down := func(node *cairn.Node) bool {
		return node.State == cairn.NodeDown || n.down != nil && n.down(n.cluster.UID, node.ID)
	}
	if !down(primary) && !slices.ContainsFunc(replicas, down) {
		return primary, replicas, true
	}
	up := slices.DeleteFunc(append([]*cairn.Node{primary}, replicas...), down)
	if len(up) == 0 {
		return primary, replicas, true
	}
	return up[0], up[1:], true
}

// attributes is values by name, ascending; false if the schema lacks one of
// them. Those are left out: their attribute has been removed from the
// keyspace, or the map that declares it is still to come.
func (n *naming) attributes(encoded cairn.Attributes) (named cairn.NamedValues, known bool) {
	if len(encoded) == 0 {
		return nil, true
	}
	known = true
	start, sorted := len(n.values), true
	for each := range encoded.All() {
		spec, found := n.keyspace.Schema.ByID(each.ID)
		if !found {
			known = false
			continue
		}
		if len(n.values) > start && n.values[len(n.values)-1].Name > spec.Name {
			sorted = false
		}
		n.values = append(n.values, cairn.NamedValue{Name: spec.Name, Value: each.Value})
	}
	named = n.values[start:len(n.values):len(n.values)]
	if !sorted {
		named.Sort()
	}
	return named, known
}

// entry is an entry with names, and whether all its ids are known.
func (n *naming) entry(e *cairn.Entry) (cairn.NamedEntry, bool) {
	primary, replicas, nodesKnown := n.placed(e.Nodes)
	values, valuesKnown := n.attributes(e.Attributes)
	return cairn.NamedEntry{
		Key: e.Key, Cluster: n.cluster.Name, Primary: primary, Replicas: replicas,
		Version: e.Version, Attributes: values,
	}, nodesKnown && valuesKnown
}

// nodeUnknown is for an entry whose nodes the catalog lacks although it is no
// older than the entry.
func nodeUnknown(cluster *catalog.Cluster, key cairn.Key, ids []cairn.NodeID) *cairn.Error {
	e := cairn.Errorf(cairn.KindInternal, "NODE_UNKNOWN", "the entry names nodes %d, which cluster %s does not all have", ids, cluster.Name)
	e.Key = key
	return e
}
