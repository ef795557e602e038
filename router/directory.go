package router

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// directory is the clusters of one map with their connections, ascending by
// uid. It is immutable.
type directory struct {
	m       *shardmap.Map
	members []member
}

// member is a cluster as one map has it.
type member struct {
	cluster    *catalog.Cluster
	connection *connection
}

// find is a cluster's position in the directory.
func (d *directory) find(uid cairn.UID) (int, bool) {
	members := d.members
	low, high := 0, len(members)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if members[middle].cluster.UID < uid {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(members) && members[low].cluster.UID == uid
}

// connection is one cluster's node index, dialed when it is first needed.
type connection struct {
	dial    func(*catalog.Cluster) (Index, error)
	release func(Index)
	// replicas are the addresses it was made for.
	replicas []string
	index    atomic.Pointer[guarded]
	closed   atomic.Bool
}

// get is the node index. Two that come first may both dial; one index is kept.
func (c *connection) get(cluster *catalog.Cluster) (Index, error) {
	if index := c.index.Load(); index != nil {
		return index, nil
	}
	if c.closed.Load() {
		return nil, clusterGone(cluster)
	}
	dialled, err := c.dial(cluster)
	if err != nil {
		return nil, err
	}
	index := guard(dialled, cluster)
	if !c.index.CompareAndSwap(nil, index) {
		c.giveBack(index)
		return c.get(cluster)
	}
	if c.closed.Load() {
		// It was closed while dialing; close may have come too early to see
		// the index.
		c.close()
		return nil, clusterGone(cluster)
	}
	return index, nil
}

func clusterGone(cluster *catalog.Cluster) error {
	return cairn.Errorf(cairn.KindUnavailable, "CLUSTER_GONE", "the router no longer asks cluster %s at the address it had", cluster.Name)
}

// close releases the index, now or when it comes.
func (c *connection) close() {
	c.closed.Store(true)
	if index := c.index.Swap(nil); index != nil {
		c.giveBack(index)
	}
}

func (c *connection) giveBack(index *guarded) {
	if c.release != nil {
		c.release(index.Index)
	}
}

// connections are a router's connections and the newest directory of them.
type connections struct {
	dial    func(*catalog.Cluster) (Index, error)
	release func(Index)
	// grace is how long one that is no longer used stays open, for the
	// requests that are under way on it.
	grace time.Duration

	newest atomic.Pointer[directory]

	mu        sync.Mutex
	byCluster map[cairn.UID]*connection
	// leaving are those in their grace, with the timers that close them.
	leaving map[*connection]*time.Timer
	closed  bool
}

// directory is the directory of a map.
func (c *connections) directory(m *shardmap.Map) *directory {
	if d := c.newest.Load(); d != nil && d.m == m {
		return d
	}
	return c.build(m)
}

func (c *connections) build(m *shardmap.Map) *directory {
	c.mu.Lock()
	defer c.mu.Unlock()
	newest := c.newest.Load()
	if newest != nil && newest.m == m {
		return newest
	}
	d := &directory{m: m, members: make([]member, 0, len(m.Catalog().Clusters()))}
	// A request that still holds an older map gets a directory for itself: it
	// must not bring back what the newest one has let go.
	isNewest := newest == nil || newest.m.Revision() <= m.Revision()
	for _, cluster := range m.Catalog().Clusters() {
		d.members = append(d.members, member{cluster, c.connectionLocked(cluster, isNewest)})
	}
	slices.SortFunc(d.members, func(a, b member) int { return cmp.Compare(a.cluster.UID, b.cluster.UID) })
	if isNewest {
		for uid, open := range c.byCluster {
			if _, found := d.find(uid); !found {
				delete(c.byCluster, uid)
				c.leaveLocked(open)
			}
		}
		c.newest.Store(d)
	}
	return d
}

func (c *connections) connectionLocked(cluster *catalog.Cluster, keep bool) *connection {
	open := c.byCluster[cluster.UID]
	if open != nil && (!keep || slices.Equal(open.replicas, cluster.IndexReplicas)) {
		return open
	}
	fresh := &connection{dial: c.dial, release: c.release, replicas: cluster.IndexReplicas}
	if !keep || c.closed {
		// Nobody would ever close it: refuse to dial.
		fresh.closed.Store(true)
		return fresh
	}
	if open != nil {
		c.leaveLocked(open)
	}
	c.byCluster[cluster.UID] = fresh
	return fresh
}

func (c *connections) leaveLocked(open *connection) {
	c.leaving[open] = time.AfterFunc(c.grace, func() {
		c.mu.Lock()
		delete(c.leaving, open)
		c.mu.Unlock()
		open.close()
	})
}

// close releases every index. Requests that come later find none.
func (c *connections) close() {
	c.mu.Lock()
	c.closed = true
	var open []*connection
	for _, each := range c.byCluster {
		open = append(open, each)
	}
	for each, timer := range c.leaving {
		if timer.Stop() {
			open = append(open, each)
		}
	}
	clear(c.byCluster)
	clear(c.leaving)
	c.mu.Unlock()
	for _, each := range open {
		each.close()
	}
}
