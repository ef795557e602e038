package bed

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"cairn"
	"cairn/router"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// The keyspaces of every Bed: Things by hash with ":" as affinity delimiter,
// Ordered by range.
const (
	Things  = "things"
	Ordered = "ordered"
)

// Bed is a shard map and the node indexes of its clusters.
type Bed struct {
	// Faults, if set, decides what happens to each call of an index.
	Faults func(cluster string, call Call) Fault
	// Forgetful has every index take any request with an id for too old.
	Forgetful bool
	// Asked, if set, is told of each question about a view.
	Asked func(cluster string, request *cairn.ViewRequest)

	mu      sync.Mutex // guards m; held before the indexes' locks
	m       *shardmap.Map
	changed chan struct{} // closed and replaced when m changes

	indexes map[cairn.UID]*Index
}

// New makes a Bed of so many clusters, "c0" onwards, with two nodes each,
// "c0-a" and "c0-b". Both keyspaces have so many shards, spread over all
// clusters.
func New(clusters, shards int) (*Bed, error) {
	b := &Bed{changed: make(chan struct{}), indexes: map[cairn.UID]*Index{}}
	declared := make([]*catalog.Cluster, clusters)
	for i := range declared {
		name := fmt.Sprintf("c%d", i)
		declared[i] = &catalog.Cluster{
			UID: cairn.UID(0x100 + i), Name: name, Zone: "z", Weight: 1, NextNode: 3, Revision: 1,
			Nodes: []cairn.Node{
				{ID: 1, Name: name + "-a", Address: name + "-a:1", Zone: "z", Weight: 1, State: cairn.NodeActive},
				{ID: 2, Name: name + "-b", Address: name + "-b:1", Zone: "z", Weight: 1, State: cairn.NodeActive},
			},
		}
	}
	none, err := catalog.New(nil, declared, nil)
	if err != nil {
		return nil, err
	}
	if b.m, err = new(shardmap.Builder).Build(1, none); err != nil {
		return nil, err
	}
	things := catalog.NewKeyspace{InitialShards: shards, Keyspace: keyspace(1, Things, cairn.Placement{Scheme: cairn.SchemeHash, Affinity: ":"})}
	ordered := catalog.NewKeyspace{Keyspace: keyspace(2, Ordered, cairn.Placement{Scheme: cairn.SchemeRange})}
	for i := 1; i < shards; i++ {
		ordered.InitialSplits = append(ordered.InitialSplits, fmt.Appendf(nil, "k%03d", i*1000/shards))
	}
	for _, each := range []catalog.NewKeyspace{things, ordered} {
		change, err := shardmap.Create(each, declared)
		if err != nil {
			return nil, err
		}
		if err := b.commitLocked(change); err != nil {
			return nil, err
		}
	}
	for _, cluster := range declared {
		b.indexes[cluster.UID] = newIndex(b, cluster)
	}
	return b, nil
}

func keyspace(uid cairn.UID, name string, placement cairn.Placement) *catalog.Keyspace {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "size", Type: cairn.TypeInt},
		{ID: 2, Name: "colour", Type: cairn.TypeString},
		{ID: 3, Name: "weight", Type: cairn.TypeFloat},
		{ID: 4, Name: "live", Type: cairn.TypeBool},
		{ID: 5, Name: "since", Type: cairn.TypeTimestamp},
		{ID: 6, Name: "note", Type: cairn.TypeString, Unindexed: true},
	})
	if err != nil {
		panic(err) // the schema is right above
	}
	return &catalog.Keyspace{
		Keyspace:      cairn.Keyspace{UID: uid, Name: name, Placement: placement, Replicas: 2, Schema: schema},
		NextAttribute: 7,
	}
}

// Map is the newest map.
func (b *Bed) Map() *shardmap.Map {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.m
}

// Index is a cluster's node index.
func (b *Bed) Index(uid cairn.UID) *Index { return b.indexes[uid] }

// Dial is router.Config's.
func (b *Bed) Dial(cluster *catalog.Cluster) (router.Index, error) {
	return b.indexes[cluster.UID], nil
}

// commitLocked makes a change that takes effect at the next revision.
func (b *Bed) commitLocked(change shardmap.Change) error {
	update, err := change.Update(b.m.Revision()+1, b.m.Catalog())
	if err != nil {
		return err
	}
	return b.updateLocked(update)
}

func (b *Bed) updateLocked(update shardmap.Update) error {
	m, err := b.m.Apply(update)
	if err != nil {
		return err
	}
	b.m = m
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// Commit makes a change; the indexes will hear of it.
func (b *Bed) Commit(change shardmap.Change) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.commitLocked(change)
}

// Move gives a shard to a cluster. The one that had it knows at once; the new
// owner has the entries, and serves them when its log has noted the change.
func (b *Bed) Move(keyspace cairn.UID, id cairn.ShardID, to cairn.UID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	shard, found := b.m.Shard(keyspace, id)
	declared, known := b.m.Catalog().KeyspaceByUID(keyspace)
	if !found || !known || shard.Cluster == to {
		return nil
	}
	source, target := b.indexes[shard.Cluster], b.indexes[to]
	first, second := source, target
	if first.cluster.UID > second.cluster.UID {
		first, second = second, first
	}
	first.mu.Lock()
	defer first.mu.Unlock()
	second.mu.Lock()
	defer second.mu.Unlock()

	// Whatever the log of either does not know yet comes first.
	source.noteLocked(b.m)
	target.noteLocked(b.m)
	moved := shard
	moved.Cluster, moved.Epoch = to, 0
	if err := b.commitLocked(shardmap.Change{Shards: []shardmap.ShardChange{
		{Keyspace: keyspace, Generation: declared.Generation, ID: id, Expected: shard.Revision, Put: &moved},
	}}); err != nil {
		return err
	}
	target.takeOverLocked(source, shard)
	source.noteLocked(b.m)
	return nil
}

// Split divides a shard.
func (b *Bed) Split(keyspace cairn.UID, id cairn.ShardID, at []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	change, err := shardmap.Split(b.m, keyspace, id, at)
	if err != nil {
		return err
	}
	return b.commitLocked(change)
}

// SetView declares a view or a version of one, which takes effect at the next
// revision; the indexes will hear of it.
func (b *Bed) SetView(view catalog.View) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	view.Revision = b.m.Revision() + 1
	return b.editLocked(catalog.Edit{SetViews: []*catalog.View{&view}})
}

// NoteAll makes the log of every index note the newest map; routers that are
// behind will hear of it from them.
func (b *Bed) NoteAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.indexes {
		x.mu.Lock()
		x.noteLocked(b.m)
		x.mu.Unlock()
	}
}

// RemoveView removes a view.
func (b *Bed) RemoveView(uid cairn.UID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.editLocked(catalog.Edit{RemoveViews: []cairn.UID{uid}})
}

func (b *Bed) editLocked(edit catalog.Edit) error {
	edited, err := b.m.Catalog().With(edit)
	if err != nil {
		return err
	}
	return b.updateLocked(shardmap.Update{Revision: b.m.Revision() + 1, Catalog: edited})
}

// Topology is a router's view of the map: it stays behind until it is asked
// for a revision, or told to catch up.
type Topology struct {
	bed *Bed
	m   atomic.Pointer[shardmap.Map]
}

// Topology makes a view that begins with the newest map.
func (b *Bed) Topology() *Topology {
	t := &Topology{bed: b}
	t.m.Store(b.Map())
	return t
}

// Map implements router.Topology.
func (t *Topology) Map() *shardmap.Map { return t.m.Load() }

// Wait implements router.Topology.
func (t *Topology) Wait(ctx context.Context, revision uint64) (*shardmap.Map, error) {
	for {
		t.bed.mu.Lock()
		m, changed := t.bed.m, t.bed.changed
		t.bed.mu.Unlock()
		if m.Revision() >= revision {
			return t.advance(m), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// CatchUp makes the view the newest.
func (t *Topology) CatchUp() { t.advance(t.bed.Map()) }

// advance makes the view no older than a map, and returns it.
func (t *Topology) advance(m *shardmap.Map) *shardmap.Map {
	for {
		old := t.m.Load()
		if old.Revision() >= m.Revision() {
			return old
		}
		if t.m.CompareAndSwap(old, m) {
			return m
		}
	}
}
