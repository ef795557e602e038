package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"cairn"
)

// Action is what a plan does to a resource.
type Action uint8

// The actions.
const (
	Unchanged Action = iota + 1
	Create
	Update
)

var actionNames = [...]string{"none", "unchanged", "create", "update"}

func (a Action) String() string { return actionNames[a] }

// FieldChange is one difference between what stands and what is declared, as
// text; Before or After is empty where the field was or becomes absent.
type FieldChange struct {
	// Field is as in "attributes.surface.type".
	Field         string
	Before, After string
}

// ResourceChange is what a plan does to one resource.
type ResourceChange struct {
	// Name is as in "keyspaces/runways".
	Name     string
	Action   Action
	Fields   []FieldChange
	Warnings []string
}

// NewKeyspace is a keyspace that a plan creates, with what it begins with. Its
// NextShard and Generation are for whoever makes its shards.
type NewKeyspace struct {
	*Keyspace
	// InitialShards is set for SchemeHash, InitialSplits for SchemeRange.
	InitialShards int
	InitialSplits [][]byte
}

// NodeRemoval is a node that a plan removes. Whoever carries the plan out
// first makes sure, with CheckRemovals, that it holds no entries.
type NodeRemoval struct {
	Cluster *Cluster
	Node    cairn.Node
}

// Plan is what an apply would do.
type Plan struct {
	// Changes has one change for each declared resource, in the order in which
	// they take effect: clusters, then keyspaces, then views, each by name.
	Changes []ResourceChange
	// CreateKeyspaces, UpdateKeyspaces, SetClusters and SetViews are the changed
	// resources as they will stand, revisions aside.
	CreateKeyspaces []NewKeyspace
	UpdateKeyspaces []*Keyspace
	SetClusters     []*Cluster
	// SetViews must be stored together with a change, if only to its revision,
	// of their keyspaces' records: that is what a schema's change loses to that
	// was decided without knowing them.
	SetViews []*View
	// Refilters are the standing views among them whose filter gets another
	// meaning.
	Refilters []Refilter
	// Removals are the nodes that SetClusters no longer have.
	Removals []NodeRemoval
	// Touched are the records that the plan was decided by, ascending by name.
	// It may be carried out only while all of them stand at these revisions.
	Touched []Touched
}

// Touched is a record that a plan was decided by.
type Touched struct {
	// Name is as in "keyspaces/runways".
	Name string
	// ModRevision is 0 where there was no record.
	ModRevision uint64
}

// Empty tells whether there is nothing to carry out.
func (p *Plan) Empty() bool {
	return len(p.CreateKeyspaces)+len(p.UpdateKeyspaces)+len(p.SetClusters)+len(p.SetViews) == 0
}

// CheckRemovals refuses (KindPrecondition, IN_USE) the removal of a node for
// which entries counts any. An error of entries is returned as it is.
func (p *Plan) CheckRemovals(entries func(NodeRemoval) (uint64, error)) error {
	for _, removal := range p.Removals {
		n, err := entries(removal)
		if err != nil {
			return err
		}
		if n > 0 {
			return refuse(ClusterName(removal.Cluster.Name)+".nodes."+removal.Node.Name, "IN_USE",
				"node %s still holds %d entries; move them to other nodes before removing it", removal.Node.Name, n)
		}
	}
	return nil
}

// FilterCheck checks the filter of a view of a keyspace with a schema. It
// returns the attributes that the filter names, and the filter in a form that
// is the same for filters that differ only in how they are written. It refuses,
// in the field "filter", what is not a filter of that schema.
type FilterCheck func(expression string, schema *cairn.Schema) (attributes []cairn.AttributeID, canonical string, err error)

// Means are what planning needs from outside.
type Means struct {
	// NewUID names new resources.
	NewUID func() cairn.UID
	// CheckFilter checks the filters of views. Without one no view may have a
	// filter.
	CheckFilter FilterCheck
}

// planner gathers a plan: the catalog as it stands, and as it will.
type planner struct {
	now       *Catalog
	means     Means
	plan      *Plan
	clusters  map[string]*Cluster  // by name, as they will stand
	keyspaces map[string]*Keyspace // likewise
	touched   map[string]uint64
}

// Plan decides what it takes to make desired true, without doing it. Resources
// that desired does not name stay as they are.
//
// Refused with KindInvalid and the field: more than MaxResources, a resource
// named twice, two clusters with one index, and every declaration that is wrong
// by itself, such as a bad name, a cluster without nodes, two nodes of one name
// or address, splits out of order, a filter that the keyspace's attributes do
// not allow. Refused with KindPrecondition and the field: what the present
// state does not allow, such as a changed attribute type or placement, a
// keyspace without a cluster or with more replicas than a cluster has nodes,
// the removal of a node that is not draining or of an attribute that a view
// uses, a view of another keyspace than before, a keyspace being deleted.
func (c *Catalog) Plan(desired []Resource, means Means) (*Plan, error) {
	if len(desired) > MaxResources {
		return nil, cairn.Invalid("resources", "RESOURCES_TOO_MANY", "%d resources; an apply takes at most %d", len(desired), MaxResources)
	}
	ordered, err := inOrder(desired)
	if err != nil {
		return nil, err
	}
	p := &planner{now: c, means: means, plan: &Plan{}, clusters: map[string]*Cluster{}, keyspaces: map[string]*Keyspace{}, touched: map[string]uint64{}}
	for _, cluster := range c.clusters {
		p.clusters[cluster.Name] = cluster
	}
	for _, keyspace := range c.keyspaces {
		p.keyspaces[keyspace.Name] = keyspace
	}
	for _, resource := range ordered {
		switch {
		case resource.Cluster != nil:
			err = p.cluster(resource.Cluster)
		case resource.Keyspace != nil:
			err = p.keyspace(resource.Keyspace)
		default:
			err = p.view(resource.View)
		}
		if err == nil {
			continue
		}
		if resource.View != nil {
			// That an attribute which it still uses is about to go says more than
			// that the view names what is not there.
			if inUse := p.checkAttributes(); inUse != nil {
				return nil, inUse
			}
		}
		return nil, cairn.InField(resource.Name(), err)
	}
	if err := p.checkAttributes(); err != nil {
		return nil, err
	}
	if err := p.checkReplicas(); err != nil {
		return nil, err
	}
	if err := p.checkIndexes(); err != nil {
		return nil, err
	}
	for name, revision := range p.touched {
		p.plan.Touched = append(p.plan.Touched, Touched{name, revision})
	}
	slices.SortFunc(p.plan.Touched, func(a, b Touched) int { return strings.Compare(a.Name, b.Name) })
	return p.plan, nil
}

// inOrder checks each declaration by itself and sorts them by dependency:
// keyspaces need clusters, and views keyspaces.
func inOrder(desired []Resource) ([]Resource, error) {
	seen := make(map[string]bool, len(desired))
	for _, resource := range desired {
		if err := resource.Validate(); err != nil {
			return nil, err
		}
		name := resource.Name()
		if seen[name] {
			return nil, cairn.Invalid(name, "RESOURCE_TWICE", "%s is declared twice; declare it once", name)
		}
		seen[name] = true
	}
	rank := func(r Resource) int {
		switch {
		case r.Cluster != nil:
			return 0
		case r.Keyspace != nil:
			return 1
		}
		return 2
	}
	return slices.SortedFunc(slices.Values(desired), func(a, b Resource) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Name(), b.Name()))
	}), nil
}

// record notes what became of a resource.
func (p *planner) record(name string, exists bool, modRevision uint64, change *ResourceChange) {
	change.Name = name
	switch {
	case !exists:
		change.Action = Create
	case len(change.Fields) > 0:
		change.Action = Update
	default:
		change.Action = Unchanged
	}
	p.plan.Changes = append(p.plan.Changes, *change)
	p.touched[name] = modRevision
}

// checkReplicas holds every keyspace that will stand against every cluster
// that will: any cluster may come to own one of its shards. What it looked at
// is touched only where this plan changes one side of the comparison.
func (p *planner) checkReplicas() error {
	check := func(keyspace *Keyspace, cluster *Cluster) error {
		if keyspace.Replicas <= len(cluster.Nodes) {
			return nil
		}
		return refuse(KeyspaceName(keyspace.Name)+".replicas", "REPLICAS_OVER_NODES",
			"%d replicas, but cluster %s has %d nodes, and each entry needs as many nodes as replicas", keyspace.Replicas, cluster.Name, len(cluster.Nodes))
	}
	changed := slices.Clone(p.plan.UpdateKeyspaces)
	for _, k := range p.plan.CreateKeyspaces {
		changed = append(changed, k.Keyspace)
	}
	standing := map[string]*Keyspace{}
	for _, k := range p.now.keyspaces {
		standing[k.Name] = k
	}
	for _, k := range changed {
		standing[k.Name] = k
		for _, cluster := range p.clustersByName() {
			if err := check(k, cluster); err != nil {
				return err
			}
			p.touch(ClusterName(cluster.Name), cluster.Revision)
		}
	}
	for _, cluster := range p.plan.SetClusters {
		if before, stood := p.now.ClusterByUID(cluster.UID); stood && len(before.Nodes) <= len(cluster.Nodes) {
			continue
		}
		for _, k := range p.now.keyspaces {
			if err := check(standing[k.Name], cluster); err != nil {
				return err
			}
			p.touch(KeyspaceName(k.Name), k.ModRevision)
		}
	}
	return nil
}

// checkIndexes refuses an index address that two clusters would have: one
// would be asked for what the other owns.
func (p *planner) checkIndexes() error {
	byAddress := map[string]*Cluster{}
	for _, cluster := range p.clustersByName() {
		for i, address := range cluster.IndexReplicas {
			if first, taken := byAddress[address]; taken {
				return cairn.Invalid(ClusterName(cluster.Name)+".index.replicas["+strconv.Itoa(i)+"]", "INDEX_REPLICA_TWICE",
					"%s is the index of cluster %s too; each cluster has its own", address, first.Name)
			}
			byAddress[address] = cluster
		}
	}
	for _, cluster := range p.plan.SetClusters {
		before, stood := p.now.ClusterByUID(cluster.UID)
		if len(cluster.IndexReplicas) == 0 || stood && slices.Equal(before.IndexReplicas, cluster.IndexReplicas) {
			continue
		}
		for _, with := range byAddress {
			p.touch(ClusterName(with.Name), with.Revision)
		}
	}
	return nil
}

// touch notes a record that was decided by, unless it is changed itself.
func (p *planner) touch(name string, revision uint64) {
	if _, noted := p.touched[name]; !noted {
		p.touched[name] = revision
	}
}

func (p *planner) clustersByName() []*Cluster {
	out := make([]*Cluster, 0, len(p.clusters))
	for _, c := range p.clusters {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *Cluster) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// refuse makes the error for what the present state does not allow.
func refuse(field, reason, format string, args ...any) error {
	err := cairn.Errorf(cairn.KindPrecondition, reason, format, args...)
	err.Field = field
	return err
}
