package main

import (
	"maps"
	"slices"
	"strings"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/shardmap/catalog"
)

// This file translates declarations between manifests and the API.

func keyspaceName(name string) string { return "keyspaces/" + name }
func clusterName(name string) string  { return "clusters/" + name }
func viewName(name string) string     { return "views/" + name }

// short is a resource's name without what kind of resource it is.
func short(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

var types = map[cairnv1.Attribute_Type]cairn.Type{
	cairnv1.Attribute_STRING: cairn.TypeString, cairnv1.Attribute_INT: cairn.TypeInt, cairnv1.Attribute_FLOAT: cairn.TypeFloat,
	cairnv1.Attribute_BOOL: cairn.TypeBool, cairnv1.Attribute_TIMESTAMP: cairn.TypeTimestamp,
}

var states = map[cairnv1.Node_State]cairn.NodeState{
	cairnv1.Node_ACTIVE: cairn.NodeActive, cairnv1.Node_DRAINING: cairn.NodeDraining, cairnv1.Node_DOWN: cairn.NodeDown,
}

// keyFor is the key under which a map has a value; the zero key if none.
func keyFor[K, V comparable](of map[K]V, value V) (found K) {
	for k, v := range of {
		if v == value {
			return k
		}
	}
	return found
}

// attributeSpecs are a keyspace's attributes in order of name, without ids.
func attributeSpecs(k *cairnv1.Keyspace) []cairn.AttributeSpec {
	var out []cairn.AttributeSpec
	for _, name := range slices.Sorted(maps.Keys(k.GetAttributes())) {
		a := k.GetAttributes()[name]
		out = append(out, cairn.AttributeSpec{Name: name, Type: types[a.GetType()], Unindexed: a.GetUnindexed()})
	}
	return out
}

func schemeOf(k *cairnv1.Keyspace) cairn.Scheme {
	if k.GetPlacement().GetScheme() == cairnv1.Placement_RANGE {
		return cairn.SchemeRange
	}
	return cairn.SchemeHash
}

// fromManifest is a declaration as the API takes it.
func fromManifest(r catalog.Resource) *cairnv1.Resource {
	switch {
	case r.Keyspace != nil:
		return &cairnv1.Resource{Resource: &cairnv1.Resource_Keyspace{Keyspace: keyspaceOf(r.Keyspace)}}
	case r.Cluster != nil:
		return &cairnv1.Resource{Resource: &cairnv1.Resource_Cluster{Cluster: clusterOf(r.Cluster)}}
	}
	return &cairnv1.Resource{Resource: &cairnv1.Resource_View{View: &cairnv1.View{
		Name: viewName(r.View.Name), Keyspace: keyspaceName(r.View.Keyspace),
		Filter: r.View.Filter, Sort: r.View.Sort, Fields: r.View.Fields,
	}}}
}

func keyspaceOf(spec *catalog.KeyspaceSpec) *cairnv1.Keyspace {
	scheme := cairnv1.Placement_HASH
	if spec.Placement.Scheme == cairn.SchemeRange {
		scheme = cairnv1.Placement_RANGE
	}
	out := &cairnv1.Keyspace{
		Name: keyspaceName(spec.Name),
		Placement: &cairnv1.Placement{
			Scheme: scheme, Affinity: spec.Placement.Affinity, InitialShards: spec.InitialShards, InitialSplits: spec.InitialSplits,
		},
		Replicas: spec.Replicas, Mover: spec.Mover, Attributes: map[string]*cairnv1.Attribute{},
	}
	for _, a := range spec.Attributes {
		out.Attributes[a.Name] = &cairnv1.Attribute{Type: keyFor(types, a.Type), Unindexed: a.Unindexed}
	}
	return out
}

func clusterOf(spec *catalog.ClusterSpec) *cairnv1.Cluster {
	out := &cairnv1.Cluster{Name: clusterName(spec.Name), Zone: spec.Zone, Weight: spec.Weight, IndexReplicas: spec.IndexReplicas, Health: cairnv1.Cluster_Health(spec.Health)}
	for _, n := range spec.Nodes {
		out.Nodes = append(out.Nodes, &cairnv1.Node{
			Name: n.Name, Address: n.Address, Zone: n.Zone, Weight: n.Weight, State: keyFor(states, n.State),
		})
	}
	return out
}

// keyspaceSpec is a keyspace as a manifest declares it.
func keyspaceSpec(k *cairnv1.Keyspace) catalog.Resource {
	spec := &catalog.KeyspaceSpec{
		Name:      short(k.GetName()),
		Placement: cairn.Placement{Scheme: schemeOf(k), Affinity: k.GetPlacement().GetAffinity()},
		Replicas:  k.GetReplicas(),
		Mover:     k.GetMover(),
	}
	for _, a := range attributeSpecs(k) {
		spec.Attributes = append(spec.Attributes, catalog.AttributeSpec{Name: a.Name, Type: a.Type, Unindexed: a.Unindexed})
	}
	return catalog.Resource{Keyspace: spec}
}

// clusterSpec is a cluster as a manifest declares it.
func clusterSpec(c *cairnv1.Cluster) catalog.Resource {
	spec := &catalog.ClusterSpec{Name: short(c.GetName()), Zone: c.GetZone(), Weight: c.Weight, IndexReplicas: c.GetIndexReplicas(), Health: cairn.HealthCheck(c.GetHealth())}
	for _, n := range c.GetNodes() {
		spec.Nodes = append(spec.Nodes, catalog.NodeSpec{
			Name: n.GetName(), Address: n.GetAddress(), Zone: n.GetZone(), Weight: n.Weight, State: states[n.GetState()],
		})
	}
	return catalog.Resource{Cluster: spec}
}

// viewSpec is a view as a manifest declares it.
func viewSpec(v *cairnv1.View) catalog.Resource {
	return catalog.Resource{View: &catalog.ViewSpec{
		Name: short(v.GetName()), Keyspace: short(v.GetKeyspace()), Filter: v.GetFilter(), Sort: v.GetSort(), Fields: v.GetFields(),
	}}
}
