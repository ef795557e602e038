package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cairn"
)

// cluster plans one declared cluster.
func (p *planner) cluster(spec *ClusterSpec) error {
	before, exists := p.now.ClusterByName(spec.Name)
	if !exists {
		before = &Cluster{UID: p.means.NewUID(), Name: spec.Name, NextNode: 1}
	}
	change := &ResourceChange{}
	after := *before
	after.Zone = spec.Zone
	after.Weight = weightOf(spec.Weight)
	after.IndexReplicas = spec.IndexReplicas
	after.Health = spec.Health
	change.field("zone", before.Zone, after.Zone)
	if exists {
		change.field("weight", number(before.Weight), number(after.Weight))
	} else {
		change.field("weight", "", number(after.Weight))
	}
	change.field("index.replicas", strings.Join(before.IndexReplicas, ", "), strings.Join(after.IndexReplicas, ", "))
	change.field("health", before.Health.String(), after.Health.String())
	after.setNodes(spec, change)
	for _, n := range before.Nodes {
		if _, stays := after.NodeByID(n.ID); stays {
			continue
		}
		if n.State != cairn.NodeDraining {
			return refuse("nodes."+n.Name, "NODE_NOT_DRAINING",
				"node %s is %s; a node is removed only after it was applied as draining and holds no entries", n.Name, n.State)
		}
		change.nodeFields(n, cairn.Node{}, n.Name)
		p.plan.Removals = append(p.plan.Removals, NodeRemoval{before, n})
	}
	p.clusters[spec.Name] = &after
	if !exists || len(change.Fields) > 0 {
		p.plan.SetClusters = append(p.plan.SetClusters, &after)
	}
	p.record(ClusterName(spec.Name), exists, before.Revision, change)
	if exists && len(before.IndexReplicas) > 0 != (len(after.IndexReplicas) > 0) {
		last := &p.plan.Changes[len(p.plan.Changes)-1]
		last.Warnings = append(last.Warnings, fmt.Sprintf(
			"index.replicas decides who runs the index of %s; entries do not move from one to the other", spec.Name))
	}
	return nil
}

// setNodes gives c the declared nodes: those that stand keep their ids, new
// ones get ids that none has had.
func (c *Cluster) setNodes(spec *ClusterSpec, change *ResourceChange) {
	standing := *c
	c.Nodes = make([]cairn.Node, 0, len(spec.Nodes))
	sorted := slices.SortedFunc(slices.Values(spec.Nodes), func(a, b NodeSpec) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range sorted {
		node := cairn.Node{
			Name:    n.Name,
			Address: n.Address,
			Zone:    cmp.Or(n.Zone, spec.Zone),
			Weight:  weightOf(n.Weight),
			State:   cmp.Or(n.State, cairn.NodeActive),
		}
		before, stands := standing.NodeByName(n.Name)
		if stands {
			node.ID = before.ID
		} else {
			node.ID = c.NextNode
			c.NextNode++
		}
		change.nodeFields(before, node, n.Name)
		c.Nodes = append(c.Nodes, node)
	}
	slices.SortFunc(c.Nodes, func(a, b cairn.Node) int { return cmp.Compare(a.ID, b.ID) })
}

// nodeFields notes how a node changes; the zero Node is none.
func (c *ResourceChange) nodeFields(before, after cairn.Node, name string) {
	prefix := "nodes." + name + "."
	texts := func(n cairn.Node) (weight, state string) {
		if n.ID == 0 {
			return "", ""
		}
		return number(n.Weight), n.State.String()
	}
	weightBefore, stateBefore := texts(before)
	weightAfter, stateAfter := texts(after)
	c.field(prefix+"address", before.Address, after.Address)
	c.field(prefix+"zone", before.Zone, after.Zone)
	c.field(prefix+"weight", weightBefore, weightAfter)
	c.field(prefix+"state", stateBefore, stateAfter)
}

func weightOf(declared *uint32) uint32 {
	if declared == nil {
		return DefaultWeight
	}
	return *declared
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
