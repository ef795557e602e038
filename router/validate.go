package router

import (
	"context"
	"errors"
	"fmt"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// open finds what every request begins with: a map as new as its token, and
// the keyspace by its name.
func (r *Router) open(ctx context.Context, keyspace string, freshness cairn.Freshness) (*shardmap.Map, *catalog.Keyspace, error) {
	if keyspace == "" {
		return nil, nil, cairn.Invalid("keyspace", "KEYSPACE_MISSING", "name the keyspace")
	}
	m, err := r.mapFor(ctx, freshness)
	if err != nil {
		return nil, nil, err
	}
	found, ok := m.Catalog().KeyspaceByName(keyspace)
	if !ok {
		return nil, nil, keyspaceNotFound(keyspace)
	}
	return m, found, nil
}

// mapFor is a map as new as a request's token.
func (r *Router) mapFor(ctx context.Context, freshness cairn.Freshness) (*shardmap.Map, error) {
	if freshness.Level > cairn.Linearizable {
		return nil, cairn.Invalid("freshness", "LEVEL_UNKNOWN", "the levels are eventual, at_least and linearizable")
	}
	epoch := floorOf(freshness).Epoch
	m, err := r.mapAt(ctx, epoch)
	if err != nil {
		return nil, tokenAhead(ctx, epoch, err)
	}
	return m, nil
}

// tokenAhead is why there is no map as new as a token in time. Where etcd
// answers, the token is of another deployment, or etcd was restored.
func tokenAhead(ctx context.Context, epoch uint64, err error) error {
	if epoch == 0 || cairn.KindOf(err) == cairn.KindUnavailable {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	e := cairn.Errorf(cairn.KindNotYet, "TOKEN_AHEAD",
		"the token asks for a map at revision %d, and the router got none so new in time; a token that came from another deployment, or from before etcd was restored, has to be dropped: %w", epoch, err)
	e.Field = "token"
	return e
}

// floorOf is what an answer must cover: the token, where it counts.
func floorOf(freshness cairn.Freshness) cairn.Token {
	if freshness.Level == cairn.Eventual {
		return cairn.Token{}
	}
	return freshness.Token
}

// checkCount refuses an empty batch and one of more than cairn.MaxBatch.
func checkCount(field string, count int) error {
	switch {
	case count == 0:
		return cairn.Invalid(field, "BATCH_EMPTY", "the batch is empty; a batch has 1 to %d", cairn.MaxBatch)
	case count > cairn.MaxBatch:
		return cairn.Invalid(field, "BATCH_TOO_LARGE", "a batch of %d; a batch has 1 to %d", count, cairn.MaxBatch)
	}
	return nil
}

// checkKey is key.Validate with the key's field named.
func checkKey(field string, key cairn.Key) *cairn.Error {
	if len(key) > 0 && len(key) <= cairn.MaxKeyLength {
		return nil
	}
	e := *asError(key.Validate())
	e.Field = field
	return &e
}

// checkWrite refuses what no cluster could accept, and returns the attributes
// in their encoding.
func checkWrite(keyspace *catalog.Keyspace, write *cairn.Write) (cairn.Attributes, *cairn.Error) {
	if err := checkKey("key", write.Key); err != nil {
		return nil, err
	}
	switch write.Operation {
	case cairn.Put, cairn.Merge:
	case cairn.Delete:
		if write.Node != "" || len(write.Replicas) > 0 || len(write.Attributes) > 0 {
			return nil, cairn.Invalid("operation", "DELETE_WITH_VALUES", "a delete has a key and a condition, no nodes and no attributes")
		}
	default:
		return nil, cairn.Invalid("operation", "OPERATION_UNKNOWN", "the operations are put, merge and delete")
	}
	if err := checkNodes(write); err != nil {
		return nil, err
	}
	return encode(keyspace.Schema, write)
}

func checkNodes(write *cairn.Write) *cairn.Error {
	switch {
	case write.Node == "" && len(write.Replicas) > 0:
		return cairn.Invalid("replicas", "REPLICAS_WITHOUT_NODE", "replicas are named without a node; name the primary too, or none")
	case len(write.Replicas) >= cairn.MaxReplicas:
		return cairn.Invalid("replicas", "REPLICAS_TOO_MANY", "%d nodes; an entry has at most %d, the primary included", len(write.Replicas)+1, cairn.MaxReplicas)
	}
	for i, name := range write.Replicas {
		if name == "" {
			return cairn.Invalid(indexed("replicas", i), "NODE_EMPTY", "an empty name of a node")
		}
		twice := name == write.Node
		for _, earlier := range write.Replicas[:i] {
			twice = twice || name == earlier
		}
		if twice {
			return cairn.Invalid(indexed("replicas", i), "NODE_TWICE", "node %q is named twice", name)
		}
	}
	return nil
}

// encode checks values against the schema and brings them into their encoding.
func encode(schema *cairn.Schema, write *cairn.Write) (cairn.Attributes, *cairn.Error) {
	if len(write.Attributes) == 0 {
		return nil, nil
	}
	values := make([]cairn.Attribute, 0, len(write.Attributes))
	for i, each := range write.Attributes {
		spec, found := schema.ByName(each.Name)
		field := "attributes." + each.Name
		switch {
		case !found:
			return nil, cairn.Invalid(field, "ATTRIBUTE_UNKNOWN", "the keyspace has no attribute %q%s", each.Name, schema.Suggest(each.Name))
		case each.Value.Type() == cairn.TypeNull && write.Operation != cairn.Merge:
			return nil, cairn.Invalid(field, "VALUE_NULL", "null is only for merging writes; leave an absent attribute out")
		case each.Value.Type() != cairn.TypeNull && each.Value.Type() != spec.Type:
			return nil, cairn.Invalid(field, "VALUE_TYPE", "a value of type %s; the attribute is declared %s", each.Value.Type(), spec.Type)
		}
		for _, earlier := range write.Attributes[:i] {
			if earlier.Name == each.Name {
				return nil, cairn.Invalid(field, "ATTRIBUTE_TWICE", "the attribute is given twice")
			}
		}
		values = append(values, cairn.Attribute{ID: spec.ID, Value: each.Value})
	}
	encoded, err := cairn.NewAttributes(values)
	if err != nil {
		return nil, asError(err)
	}
	return encoded, nil
}

// nodeIDs are the ids of a write's nodes in the cluster that owns its key.
func nodeIDs(cluster *catalog.Cluster, write *cairn.Write) ([]cairn.NodeID, *cairn.Error) {
	if write.Node == "" {
		return nil, nil
	}
	ids := make([]cairn.NodeID, 0, 1+len(write.Replicas))
	node, found := cluster.NodeByName(write.Node)
	if !found {
		return nil, unknownNode("node", cluster, write.Node)
	}
	ids = append(ids, node.ID)
	for i, name := range write.Replicas {
		node, found := cluster.NodeByName(name)
		if !found {
			return nil, unknownNode(indexed("replicas", i), cluster, name)
		}
		ids = append(ids, node.ID)
	}
	return ids, nil
}

func unknownNode(field string, cluster *catalog.Cluster, name string) *cairn.Error {
	return cairn.Invalid(field, "NODE_UNKNOWN", "cluster %s, which owns the key, has no node %q", cluster.Name, name)
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// within is an error whose field is a part of another.
func within(field string, err *cairn.Error) *cairn.Error {
	if err.Field == "" {
		return err
	}
	return asError(cairn.InField(field, err))
}
