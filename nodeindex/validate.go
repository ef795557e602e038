package nodeindex

import (
	"errors"
	"slices"

	"cairn"
)

// This file is what a mutation is refused for when it is applied, by nothing
// but the log's own state.

var (
	errOperation = cairn.Invalid("operation", "OPERATION_UNKNOWN", "the operations are put, merge and delete")
	errNotOwned  = cairn.Errorf(cairn.KindStale, "NOT_OWNED",
		"by this index's log the key is not its cluster's; refresh the map and ask its owner")
	errDeleting = cairn.Errorf(cairn.KindPrecondition, "KEYSPACE_DELETING",
		"the keyspace is being deleted and takes no writes")
	errNodesChanged = cairn.Errorf(cairn.KindStale, "NODES_CHANGED",
		"the cluster's nodes changed while the write was on its way; try again")
	errAfterStale = cairn.Errorf(cairn.KindStale, "EARLIER_WRITE_STALE",
		"an earlier write of the key in the same request was refused; it must not come after this one: try both again")
	errNoNode = cairn.Errorf(cairn.KindPrecondition, "NO_ACTIVE_NODE",
		"the cluster has no active node of non-zero weight for a new key; name nodes or activate one")
)

// asError is err as the one error type.
func asError(err error) *cairn.Error {
	if e, ok := errors.AsType[*cairn.Error](err); ok {
		return e
	}
	return &cairn.Error{Kind: cairn.KindInternal, Err: err}
}

func checkCondition(c cairn.Condition, before *cairn.Entry) error {
	if !c.Present {
		return nil
	}
	var present cairn.Version
	if before != nil {
		present = before.Version
	}
	switch {
	case present == c.Version:
		return nil
	case c.Version.IsZero():
		return cairn.Errorf(cairn.KindPrecondition, "KEY_EXISTS", "the key has an entry, of version %s", present)
	case present.IsZero():
		return cairn.Errorf(cairn.KindPrecondition, "KEY_ABSENT", "the key has no entry; asked for version %s", c.Version)
	}
	return cairn.Errorf(cairn.KindPrecondition, "VERSION_MISMATCH", "the entry has version %s; asked for %s", present, c.Version)
}

// nodesFor are the nodes that an entry has after a Put or Merge, before being
// what it was, nil for a new key.
func (a *assignment) nodesFor(m *mutation, before *cairn.Entry) ([]cairn.NodeID, error) {
	switch {
	case !m.chosen && len(m.Nodes) > 0:
		return m.Nodes, a.checkNodes(m.Nodes, before)
	case before != nil:
		return before.Nodes, nil
	case len(m.Nodes) == 0:
		if a.hasActiveNode() {
			return nil, errNodesChanged
		}
		return nil, errNoNode
	}
	for _, id := range m.Nodes {
		if n := a.node(id); n == nil || n.State != cairn.NodeActive {
			return nil, errNodesChanged
		}
	}
	return m.Nodes, nil
}

func (a *assignment) hasActiveNode() bool {
	return slices.ContainsFunc(a.nodes, func(n cairn.Node) bool { return n.State == cairn.NodeActive && n.Weight > 0 })
}

// checkNodes refuses nodes that a writer names: unknown or twice the same,
// draining for a new key or where the entry did not have them, down for a new
// key. Naming the present ones again is always accepted.
func (a *assignment) checkNodes(nodes []cairn.NodeID, before *cairn.Entry) error {
	if before != nil && slices.Equal(nodes, before.Nodes) {
		return nil
	}
	if len(nodes) > cairn.MaxReplicas {
		return cairn.Invalid("nodes", "NODES_TOO_MANY", "%d nodes; an entry has at most %d", len(nodes), cairn.MaxReplicas)
	}
	for i, id := range nodes {
		n := a.node(id)
		had := before != nil && slices.Contains(before.Nodes, id)
		switch {
		case slices.Contains(nodes[:i], id):
			return cairn.Invalid("nodes", "NODE_TWICE", "node %d is named twice", id)
		case n == nil:
			return cairn.Invalid("nodes", "NODE_UNKNOWN", "the cluster has no node %d", id)
		case n.State == cairn.NodeDraining && !had:
			return cairn.Invalid("nodes", "NODE_DRAINING", "node %s is draining and takes no new keys", n.Name)
		case n.State == cairn.NodeDown && before == nil:
			return cairn.Invalid("nodes", "NODE_DOWN", "node %s is down and takes no new keys", n.Name)
		}
	}
	return nil
}
