package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cairn"
)

// keyspace plans one declared keyspace.
func (p *planner) keyspace(spec *KeyspaceSpec) error {
	before, exists := p.now.KeyspaceByName(spec.Name)
	if !exists {
		return p.newKeyspace(spec)
	}
	if before.Deleting {
		return refuse("", "KEYSPACE_DELETING", "the keyspace is being deleted; apply when it is gone or, if that was given up, delete it again")
	}
	if spec.Placement.Scheme != before.Placement.Scheme {
		return refuse("placement.scheme", "PLACEMENT_CHANGED", "placed by %s; that can't be changed to %s: make a new keyspace", before.Placement.Scheme, spec.Placement.Scheme)
	}
	if spec.Placement.Affinity != before.Placement.Affinity {
		return refuse("placement.affinity", "PLACEMENT_CHANGED", "the affinity is %q; it can't be changed to %q: make a new keyspace", before.Placement.Affinity, spec.Placement.Affinity)
	}
	change := &ResourceChange{}
	after := *before
	after.Replicas = int(cmp.Or(spec.Replicas, DefaultReplicas))
	change.field("replicas", strconv.Itoa(before.Replicas), strconv.Itoa(after.Replicas))
	after.Mover = spec.Mover
	change.field("mover", before.Mover, after.Mover)
	if err := after.setAttributes(spec.Attributes, change); err != nil {
		return err
	}
	if len(change.Fields) > 0 {
		p.plan.UpdateKeyspaces = append(p.plan.UpdateKeyspaces, &after)
		p.keyspaces[spec.Name] = &after
	}
	p.record(KeyspaceName(spec.Name), true, before.ModRevision, change)
	return nil
}

func (p *planner) newKeyspace(spec *KeyspaceSpec) error {
	if !slices.ContainsFunc(p.clustersByName(), func(c *Cluster) bool { return c.Weight > 0 }) {
		return refuse("", "CLUSTERS_MISSING", "there is no cluster of non-zero weight to own its shards; apply a Cluster first, or in the same file")
	}
	after := &Keyspace{Keyspace: cairn.Keyspace{
		UID:       p.means.NewUID(),
		Name:      spec.Name,
		Placement: spec.Placement,
		Replicas:  int(cmp.Or(spec.Replicas, DefaultReplicas)),
		Schema:    &cairn.Schema{},
	}, NextAttribute: 1, Mover: spec.Mover}
	created := NewKeyspace{Keyspace: after}
	change := &ResourceChange{}
	change.field("placement.scheme", "", spec.Placement.Scheme.String())
	change.field("placement.affinity", "", spec.Placement.Affinity)
	if spec.Placement.Scheme == cairn.SchemeHash {
		created.InitialShards = int(cmp.Or(spec.InitialShards, DefaultInitialShards))
		change.field("placement.initial_shards", "", strconv.Itoa(created.InitialShards))
	} else {
		created.InitialSplits = spec.InitialSplits
		for i, at := range spec.InitialSplits {
			change.field("placement.initial_splits["+strconv.Itoa(i)+"]", "", cairn.Key(at).String())
		}
	}
	change.field("replicas", "", strconv.Itoa(after.Replicas))
	change.field("mover", "", after.Mover)
	if err := after.setAttributes(spec.Attributes, change); err != nil {
		return err
	}
	p.plan.CreateKeyspaces = append(p.plan.CreateKeyspaces, created)
	p.keyspaces[spec.Name] = after
	p.record(KeyspaceName(spec.Name), false, 0, change)
	return nil
}

// setAttributes gives k the declared schema: attributes that stand keep their
// ids, new ones get ids that none has had.
func (k *Keyspace) setAttributes(declared []AttributeSpec, change *ResourceChange) error {
	old := k.Schema
	specs := make([]cairn.AttributeSpec, 0, len(declared))
	sorted := slices.SortedFunc(slices.Values(declared), func(a, b AttributeSpec) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range sorted {
		field := "attributes." + a.Name
		spec := cairn.AttributeSpec{Name: a.Name, Type: a.Type, Unindexed: a.Unindexed}
		before, stands := old.ByName(a.Name)
		switch {
		case stands && before.Type != a.Type:
			return refuse(field+".type", "ATTRIBUTE_TYPE_CHANGED",
				"the attribute has type %s; that can't be changed to %s: declare an attribute of another name", before.Type, a.Type)
		case stands:
			spec.ID = before.ID
			change.field(field+".index", describeIndex(before.Unindexed), describeIndex(a.Unindexed))
		default:
			spec.ID = k.NextAttribute
			k.NextAttribute++
			change.field(field+".type", "", a.Type.String())
			if a.Unindexed {
				change.field(field+".index", "", describeIndex(true))
			}
		}
		specs = append(specs, spec)
	}
	schema, err := cairn.NewSchema(specs)
	if err != nil {
		return err
	}
	for _, before := range old.Attributes() {
		if _, stays := schema.ByName(before.Name); stays {
			continue
		}
		change.field("attributes."+before.Name+".type", before.Type.String(), "")
		change.Warnings = append(change.Warnings, fmt.Sprintf(
			"attributes.%s is removed: its values are hidden at once, and stay so if an attribute of that name is declared again", before.Name))
	}
	k.Schema = schema
	return nil
}

func describeIndex(unindexed bool) string {
	if unindexed {
		return "none"
	}
	return "bitmap"
}

// field notes a difference, if there is one.
func (c *ResourceChange) field(name, before, after string) {
	if before != after {
		c.Fields = append(c.Fields, FieldChange{name, before, after})
	}
}
