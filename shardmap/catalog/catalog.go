package catalog

import (
	"cmp"
	"slices"
	"strings"

	"cairn"
)

// Keyspace is a keyspace as it stands.
type Keyspace struct {
	cairn.Keyspace
	// Revision is that of the last change to the declaration; an index that
	// has noted it knows this schema.
	Revision uint64
	// ModRevision is that of the last change to the stored record, which
	// bookkeeping such as NextShard changes too. Changes compare it.
	ModRevision uint64
	// Generation is under which the keyspace's live shards are stored.
	Generation uint64
	// NextShard and NextAttribute are the next ids to be given out.
	NextShard     cairn.ShardID
	NextAttribute cairn.AttributeID
	// Mover is who moves the data behind the entries when a shard moves: the address of
	// a data mover, MoverExternal, or empty where nobody does.
	Mover string
}

// DataMover is the address of the keyspace's data mover; false if it names none.
func (k *Keyspace) DataMover() (address string, found bool) {
	return k.Mover, k.Mover != "" && k.Mover != MoverExternal
}

// MoverExternal is the Mover of a keyspace whose owner moves the data.
const MoverExternal = "external"

// Cluster is a cluster as it stands.
type Cluster struct {
	UID  cairn.UID
	Name string
	Zone string
	// Weight is its share of new shards relative to the others; a cluster of
	// weight 0 gets none.
	Weight uint32
	// IndexReplicas are the addresses of the node index's replicas; with none,
	// the development stack runs the index.
	IndexReplicas []string
	// Health is how its nodes are checked.
	Health cairn.HealthCheck
	// Nodes are in ascending order of id; never empty.
	Nodes    []cairn.Node
	NextNode cairn.NodeID
	// Revision is that of the last change.
	Revision uint64
}

// NodeByID finds a node by its id.
func (c *Cluster) NodeByID(id cairn.NodeID) (cairn.Node, bool) {
	i, found := slices.BinarySearchFunc(c.Nodes, id, func(n cairn.Node, id cairn.NodeID) int { return cmp.Compare(n.ID, id) })
	if !found {
		return cairn.Node{}, false
	}
	return c.Nodes[i], true
}

// NodeByName finds a node by its name.
func (c *Cluster) NodeByName(name string) (cairn.Node, bool) {
	for _, n := range c.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return cairn.Node{}, false
}

// Catalog is every keyspace, cluster and view at one revision. It is
// immutable; the zero Catalog has none.
type Catalog struct {
	keyspaces      []*Keyspace // ascending by name
	clusters       []*Cluster  // ascending by name
	views          []*View     // ascending by name
	keyspaceByName map[string]*Keyspace
	keyspaceByUID  map[cairn.UID]*Keyspace
	clusterByName  map[string]*Cluster
	clusterByUID   map[cairn.UID]*Cluster
	viewByName     map[string]*View
	viewByUID      map[cairn.UID]*View
	viewsOf        map[cairn.UID][]*View // by keyspace, ascending by name
}

// New makes a catalog of keyspaces, clusters and views, in any order. A name
// or uid that stands twice, and a view of a keyspace that is not there, are
// refused as KindCorrupt: the store can't hold one.
func New(keyspaces []*Keyspace, clusters []*Cluster, views []*View) (*Catalog, error) {
	c := &Catalog{
		keyspaces:      slices.Clone(keyspaces),
		clusters:       slices.Clone(clusters),
		views:          slices.Clone(views),
		keyspaceByName: make(map[string]*Keyspace, len(keyspaces)),
		keyspaceByUID:  make(map[cairn.UID]*Keyspace, len(keyspaces)),
		clusterByName:  make(map[string]*Cluster, len(clusters)),
		clusterByUID:   make(map[cairn.UID]*Cluster, len(clusters)),
		viewByName:     make(map[string]*View, len(views)),
		viewByUID:      make(map[cairn.UID]*View, len(views)),
		viewsOf:        make(map[cairn.UID][]*View),
	}
	slices.SortFunc(c.keyspaces, func(a, b *Keyspace) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.clusters, func(a, b *Cluster) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.views, func(a, b *View) int { return strings.Compare(a.Name, b.Name) })
	for _, k := range c.keyspaces {
		c.keyspaceByName[k.Name], c.keyspaceByUID[k.UID] = k, k
	}
	for _, k := range c.clusters {
		c.clusterByName[k.Name], c.clusterByUID[k.UID] = k, k
	}
	if len(c.keyspaceByName) != len(keyspaces) || len(c.keyspaceByUID) != len(keyspaces) {
		return nil, cairn.Errorf(cairn.KindCorrupt, "KEYSPACE_TWICE", "two keyspaces of one name or uid")
	}
	if len(c.clusterByName) != len(clusters) || len(c.clusterByUID) != len(clusters) {
		return nil, cairn.Errorf(cairn.KindCorrupt, "CLUSTER_TWICE", "two clusters of one name or uid")
	}
	for _, v := range c.views {
		if c.keyspaceByUID[v.Keyspace] == nil {
			return nil, cairn.Errorf(cairn.KindCorrupt, "VIEW_WITHOUT_KEYSPACE", "view %s is of keyspace %s, which is not there", v.Name, v.Keyspace)
		}
		c.viewByName[v.Name], c.viewByUID[v.UID] = v, v
		c.viewsOf[v.Keyspace] = append(c.viewsOf[v.Keyspace], v)
	}
	if len(c.viewByName) != len(views) || len(c.viewByUID) != len(views) {
		return nil, cairn.Errorf(cairn.KindCorrupt, "VIEW_TWICE", "two views of one name or uid")
	}
	return c, nil
}

// KeyspaceByName finds a keyspace by its name.
func (c *Catalog) KeyspaceByName(name string) (*Keyspace, bool) {
	k, found := c.keyspaceByName[name]
	return k, found
}

// KeyspaceByUID finds a keyspace by its uid.
func (c *Catalog) KeyspaceByUID(uid cairn.UID) (*Keyspace, bool) {
	k, found := c.keyspaceByUID[uid]
	return k, found
}

// ClusterByName finds a cluster by its name.
func (c *Catalog) ClusterByName(name string) (*Cluster, bool) {
	k, found := c.clusterByName[name]
	return k, found
}

// ClusterByUID finds a cluster by its uid.
func (c *Catalog) ClusterByUID(uid cairn.UID) (*Cluster, bool) {
	k, found := c.clusterByUID[uid]
	return k, found
}

// Keyspaces are all keyspaces in ascending order of name.
func (c *Catalog) Keyspaces() []*Keyspace { return c.keyspaces }

// Clusters are all clusters in ascending order of name.
func (c *Catalog) Clusters() []*Cluster { return c.clusters }

// ViewByName finds a view by its name, which is unique over all keyspaces.
func (c *Catalog) ViewByName(name string) (*View, bool) {
	v, found := c.viewByName[name]
	return v, found
}

// ViewByUID finds a view by its uid.
func (c *Catalog) ViewByUID(uid cairn.UID) (*View, bool) {
	v, found := c.viewByUID[uid]
	return v, found
}

// Views are all views in ascending order of name.
func (c *Catalog) Views() []*View { return c.views }

// ViewsOf are a keyspace's views in ascending order of name.
func (c *Catalog) ViewsOf(keyspace cairn.UID) []*View { return c.viewsOf[keyspace] }

// Edit is what turns one catalog into the next. A keyspace, cluster or view
// that is set replaces the one of its uid.
type Edit struct {
	SetKeyspaces    []*Keyspace
	RemoveKeyspaces []cairn.UID
	SetClusters     []*Cluster
	RemoveClusters  []cairn.UID
	SetViews        []*View
	RemoveViews     []cairn.UID
}

// With is c with an edit made. Removing what is not there changes nothing;
// what New refuses is refused.
func (c *Catalog) With(edit Edit) (*Catalog, error) {
	keyspaces := slices.DeleteFunc(slices.Clone(c.keyspaces), func(k *Keyspace) bool {
		return slices.Contains(edit.RemoveKeyspaces, k.UID) ||
			slices.ContainsFunc(edit.SetKeyspaces, func(set *Keyspace) bool { return set.UID == k.UID })
	})
	clusters := slices.DeleteFunc(slices.Clone(c.clusters), func(k *Cluster) bool {
		return slices.Contains(edit.RemoveClusters, k.UID) ||
			slices.ContainsFunc(edit.SetClusters, func(set *Cluster) bool { return set.UID == k.UID })
	})
	views := slices.DeleteFunc(slices.Clone(c.views), func(v *View) bool {
		return slices.Contains(edit.RemoveViews, v.UID) ||
			slices.ContainsFunc(edit.SetViews, func(set *View) bool { return set.UID == v.UID })
	})
	return New(append(keyspaces, edit.SetKeyspaces...), append(clusters, edit.SetClusters...), append(views, edit.SetViews...))
}
