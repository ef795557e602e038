package server

import (
	"fmt"
	"slices"
	"strings"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
	"cairn/shardmap/catalog"
)

// declared are an apply's resources as declarations. What only their meaning
// can be wrong about is left to the catalog.
func declared(resources []*cairnv1.Resource) ([]catalog.Resource, error) {
	if len(resources) == 0 {
		return nil, cairn.Invalid("resources", "RESOURCES_MISSING", "nothing is declared; an apply takes 1 to %d resources", catalog.MaxResources)
	}
	out := make([]catalog.Resource, 0, len(resources))
	for i, resource := range resources {
		var err error
		var each catalog.Resource
		switch kind := resource.GetResource().(type) {
		case *cairnv1.Resource_Keyspace:
			each.Keyspace, err = keyspaceSpec(kind.Keyspace)
		case *cairnv1.Resource_Cluster:
			each.Cluster, err = clusterSpec(kind.Cluster)
		case *cairnv1.Resource_View:
			each.View, err = viewSpec(kind.View)
		default:
			err = cairn.Invalid("", "RESOURCE_EMPTY", "a resource is a keyspace, a cluster or a view")
		}
		if err != nil {
			return nil, cairn.InField(fmt.Sprintf("resources[%d]", i), err)
		}
		out = append(out, each)
	}
	return out, nil
}

func keyspaceSpec(k *cairnv1.Keyspace) (*catalog.KeyspaceSpec, error) {
	name, err := keyspaceName("name", k.GetName())
	if err != nil {
		return nil, err
	}
	out := &catalog.KeyspaceSpec{
		Name: name, Replicas: k.GetReplicas(), Mover: k.GetMover(),
		Placement:     cairn.Placement{Affinity: k.GetPlacement().GetAffinity()},
		InitialShards: k.GetPlacement().GetInitialShards(), InitialSplits: k.GetPlacement().GetInitialSplits(),
	}
	switch k.GetPlacement().GetScheme() {
	case cairnv1.Placement_HASH:
		out.Placement.Scheme = cairn.SchemeHash
	case cairnv1.Placement_RANGE:
		out.Placement.Scheme = cairn.SchemeRange
	default:
		return nil, cairn.Invalid("placement.scheme", "SCHEME_UNKNOWN", "the schemes are HASH and RANGE")
	}
	for name, attribute := range k.GetAttributes() {
		kind := cairn.Type(attribute.GetType())
		if kind == cairn.TypeNull || kind > cairn.TypeTimestamp || attribute.GetType() < 0 {
			return nil, cairn.Invalid("attributes."+name+".type", "TYPE_UNKNOWN", "the types are STRING, INT, FLOAT, BOOL and TIMESTAMP")
		}
		out.Attributes = append(out.Attributes, catalog.AttributeSpec{Name: name, Type: kind, Unindexed: attribute.GetUnindexed()})
	}
	slices.SortFunc(out.Attributes, func(a, b catalog.AttributeSpec) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func clusterSpec(c *cairnv1.Cluster) (*catalog.ClusterSpec, error) {
	name, err := clusterName("name", c.GetName())
	if err != nil {
		return nil, err
	}
	out := &catalog.ClusterSpec{Name: name, Zone: c.GetZone(), Weight: c.Weight, IndexReplicas: c.GetIndexReplicas(), Health: cairn.HealthCheck(c.GetHealth())}
	if c.GetHealth() < 0 || c.GetHealth() > cairnv1.Cluster_GRPC {
		return nil, cairn.Invalid("health", "HEALTH_UNKNOWN", "nodes are checked by TCP or GRPC")
	}
	for i, node := range c.GetNodes() {
		if node.GetState() < 0 || node.GetState() > cairnv1.Node_DOWN {
			return nil, cairn.Invalid(fmt.Sprintf("nodes[%d].state", i), "STATE_UNKNOWN", "the states are ACTIVE, DRAINING and DOWN")
		}
		out.Nodes = append(out.Nodes, catalog.NodeSpec{
			Name: node.GetName(), Address: node.GetAddress(), Zone: node.GetZone(), Weight: node.Weight,
			State: cairn.NodeState(node.GetState()),
		})
	}
	return out, nil
}

func viewSpec(v *cairnv1.View) (*catalog.ViewSpec, error) {
	name, err := viewName("name", v.GetName())
	if err != nil {
		return nil, err
	}
	keyspace, err := keyspaceName("keyspace", v.GetKeyspace())
	if err != nil {
		return nil, err
	}
	return &catalog.ViewSpec{Name: name, Keyspace: keyspace, Filter: v.GetFilter(), Sort: v.GetSort(), Fields: v.GetFields()}, nil
}

func keyspaceMessage(info admin.KeyspaceInfo) *cairnv1.Keyspace {
	out := &cairnv1.Keyspace{
		Name: keyspacePrefix + info.Name, Replicas: uint32(info.Replicas), Mover: info.Mover, Uid: info.UID.String(),
		Revision: info.Revision, ShardCount: uint64(info.ShardCount),
		Placement:  &cairnv1.Placement{Scheme: cairnv1.Placement_HASH, Affinity: info.Placement.Affinity},
		Attributes: make(map[string]*cairnv1.Attribute),
	}
	if info.Placement.Scheme == cairn.SchemeRange {
		out.Placement.Scheme = cairnv1.Placement_RANGE
	}
	for _, spec := range info.Schema.Attributes() {
		out.Attributes[spec.Name] = &cairnv1.Attribute{Type: cairnv1.Attribute_Type(spec.Type), Unindexed: spec.Unindexed}
	}
	return out
}

func clusterMessage(info admin.ClusterInfo) *cairnv1.Cluster {
	out := &cairnv1.Cluster{
		Name: clusterPrefix + info.Name, Zone: info.Zone, Weight: &info.Weight, IndexReplicas: info.IndexReplicas,
		Uid: info.UID.String(), Revision: info.Revision, ShardCount: uint64(info.ShardCount),
		Health: cairnv1.Cluster_Health(info.Health),
	}
	for i := range info.Nodes {
		node := &info.Nodes[i]
		out.Nodes = append(out.Nodes, &cairnv1.Node{
			Name: node.Name, Address: node.Address, Zone: node.Zone, Weight: &node.Weight,
			State: cairnv1.Node_State(node.State),
		})
	}
	return out
}

func viewMessage(info admin.ViewInfo) *cairnv1.View {
	out := &cairnv1.View{
		Name: viewPrefix + info.Name, Keyspace: keyspacePrefix + info.Declaration.Keyspace,
		Filter: info.Declaration.Filter, Sort: info.Declaration.Sort, Fields: info.Declaration.Fields,
		Uid: info.UID.String(), Revision: info.Revision, State: cairnv1.View_SERVING,
		Built: info.Progress.Done, Total: info.Progress.Total,
		Members: info.Progress.Members, Bytes: uint64(info.Progress.Bytes), Problem: info.Problem,
	}
	if info.Serving != nil {
		out.ServingVersion = info.Serving.Number
	}
	if info.Building != nil {
		out.BuildingVersion, out.State = info.Building.Number, cairnv1.View_REPLACING
		if info.Serving == nil {
			out.State = cairnv1.View_BUILDING
		}
	}
	return out
}

func shardMessage(keyspace string, info admin.ShardInfo) *cairnv1.Shard {
	out := &cairnv1.Shard{
		Name: shardName(keyspace, info.ID), Cluster: clusterPrefix + info.ClusterName,
		Epoch: info.Epoch, Start: info.Start, End: info.End, Pinned: info.Pinned,
	}
	if info.HeldBy != 0 {
		out.Move = moveName(info.HeldBy)
	}
	if info.EntriesKnown {
		out.Entries = &info.Entries
	}
	return out
}

func resourceChanges(changes []admin.ResourceChange) []*cairnv1.ResourceChange {
	out := make([]*cairnv1.ResourceChange, len(changes))
	for i, change := range changes {
		out[i] = &cairnv1.ResourceChange{Name: change.Name, Action: cairnv1.ResourceChange_Action(change.Action), Warnings: change.Warnings}
		if m := change.Membership; m != nil {
			out[i].Membership = &cairnv1.MembershipChange{Gained: m.Gained, Lost: m.Lost}
		}
		for _, field := range change.Fields {
			out[i].Fields = append(out[i].Fields, &cairnv1.FieldChange{Field: field.Field, Before: field.Before, After: field.After})
		}
	}
	return out
}
