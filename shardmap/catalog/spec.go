package catalog

import (
	"cairn"
)

// Kinds of resources as manifests spell them.
const (
	KindKeyspace = "Keyspace"
	KindCluster  = "Cluster"
	KindView     = "View"
)

// Defaults of what a declaration leaves out.
const (
	DefaultReplicas      = 1
	DefaultWeight        = 1
	DefaultInitialShards = 64
)

// MaxInitialShards is how many shards a keyspace may begin with.
const MaxInitialShards = 65_536

// MaxIndexReplicas is how many replicas a node index may have: every write waits
// for a majority of them, and more than five are rarely of use.
const MaxIndexReplicas = 7

// MaxFilterBytes is how long a view's filter may be.
const MaxFilterBytes = 16 << 10

// MaxResources is how many resources one apply may declare.
const MaxResources = 1_000

// Resource is one declared resource: exactly one of its fields is set.
type Resource struct {
	Keyspace *KeyspaceSpec
	Cluster  *ClusterSpec
	View     *ViewSpec
}

// Name is the resource's name in full, as in "keyspaces/runways".
func (r Resource) Name() string {
	switch {
	case r.Keyspace != nil:
		return KeyspaceName(r.Keyspace.Name)
	case r.Cluster != nil:
		return ClusterName(r.Cluster.Name)
	case r.View != nil:
		return ViewName(r.View.Name)
	}
	return ""
}

// KeyspaceName is a keyspace's name in full.
func KeyspaceName(name string) string { return "keyspaces/" + name }

// ClusterName is a cluster's name in full.
func ClusterName(name string) string { return "clusters/" + name }

// ViewName is a view's name in full, as in "views/long-lighted".
func ViewName(name string) string { return "views/" + name }

// KeyspaceSpec is a keyspace as declared.
type KeyspaceSpec struct {
	Name      string
	Placement cairn.Placement
	// InitialShards is how many shards a hash keyspace begins with, 0 meaning
	// DefaultInitialShards; InitialSplits are the keys at which the first
	// shards of a range keyspace divide, ascending. Both count at creation
	// only.
	InitialShards uint32
	InitialSplits [][]byte
	// Replicas is how many nodes an entry gets, 0 meaning DefaultReplicas.
	Replicas   uint32
	Attributes []AttributeSpec
	// Mover is empty, MoverExternal, or the host:port of a data mover.
	Mover string
}

// AttributeSpec is an attribute as declared.
type AttributeSpec struct {
	Name string
	Type cairn.Type
	// Unindexed attributes are carried with the entry but not queryable.
	Unindexed bool
}

// ClusterSpec is a cluster as declared.
type ClusterSpec struct {
	Name string
	Zone string
	// Weight is nil for DefaultWeight.
	Weight *uint32
	// IndexReplicas has at most MaxIndexReplicas addresses.
	IndexReplicas []string
	// Health is how nodes are checked, by routers and the cluster's index.
	Health cairn.HealthCheck
	Nodes  []NodeSpec
}

// NodeSpec is a node as declared.
type NodeSpec struct {
	Name    string
	Address string
	// Zone is empty for the cluster's.
	Zone string
	// Weight is nil for DefaultWeight.
	Weight *uint32
	// State is 0 for active.
	State cairn.NodeState
}

// Spec is k as it would be declared. What counts at creation only is left out.
func (k *Keyspace) Spec() *KeyspaceSpec {
	spec := &KeyspaceSpec{Name: k.Name, Placement: k.Placement, Replicas: uint32(k.Replicas), Mover: k.Mover}
	for _, a := range k.Schema.Attributes() {
		spec.Attributes = append(spec.Attributes, AttributeSpec{a.Name, a.Type, a.Unindexed})
	}
	return spec
}

// Spec is c as it would be declared.
func (c *Cluster) Spec() *ClusterSpec {
	weight := c.Weight
	spec := &ClusterSpec{Name: c.Name, Zone: c.Zone, Weight: &weight, IndexReplicas: c.IndexReplicas, Health: c.Health}
	for _, n := range c.Nodes {
		weight := n.Weight
		spec.Nodes = append(spec.Nodes, NodeSpec{n.Name, n.Address, n.Zone, &weight, n.State})
	}
	return spec
}
