package nodeindex

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync/atomic"

	"cairn"
	"cairn/nodeindex/projection"
	"cairn/shardmap/placement"

	"github.com/RoaringBitmap/roaring/v2"
)

// assignment is what the log says that the cluster owns. It is immutable;
// only the populations that it points to change.
type assignment struct {
	revision  uint64
	keyspaces map[cairn.UID]*keyspace
	nodes     []cairn.Node // ascending by id
	// records are kept for whoever makes the map again; ascending by name.
	records []cairn.Record
}

func (a *assignment) node(id cairn.NodeID) *cairn.Node {
	i, found := slices.BinarySearchFunc(a.nodes, id, func(n cairn.Node, id cairn.NodeID) int { return int(int64(n.ID) - int64(id)) })
	if !found {
		return nil
	}
	return &a.nodes[i]
}

// keyspace is one keyspace and the shards of it that are the cluster's.
type keyspace struct {
	cairn.Keyspace
	views       []cairn.View // ascending by uid and version
	shards      []*shard     // ascending by Start
	guide       shardGuide   // to the shards
	fingerprint cairn.Fingerprint
	// arriving are shards that are moving here, and what is kept of such that have
	// moved away, ascending by Start. guest tells
	// that the map does not have the keyspace here yet, and what is known of it
	// came with them.
	arriving []*arrival
	guest    bool
	// withheld are shards that are the cluster's and not served: what they hold
	// did not arrive as a whole. They have no entries.
	withheld []*shard
}

func newKeyspace(definition cairn.Keyspace, views []cairn.View, shards []*shard) *keyspace {
	k := &keyspace{Keyspace: definition, views: views, shards: shards, guide: newShardGuide(shards)}
	for _, s := range shards {
		k.fingerprint = k.fingerprint.Add(s.ID, s.Epoch)
	}
	return k
}

// populations are all that entries of the keyspace are in.
func (k *keyspace) populations() []*population {
	out := make([]*population, 0, len(k.shards)+len(k.arriving))
	for _, s := range k.shards {
		out = append(out, s.population)
	}
	for _, a := range k.arriving {
		out = append(out, a.population)
	}
	return out
}

// empty tells whether there are no entries, of shards that are arriving neither.
func (k *keyspace) empty() bool {
	return !slices.ContainsFunc(k.populations(), func(p *population) bool { return !p.ordinals.IsEmpty() })
}

// find is the shard that a placement key belongs to, nil if it is not the
// cluster's.
func (k *keyspace) find(placementKey []byte) *shard {
	low, high := k.guide.among(placementKey)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if bytes.Compare(k.shards[middle].Start, placementKey) <= 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 {
		return nil
	}
	s := k.shards[low-1]
	if len(s.End) > 0 && bytes.Compare(placementKey, s.End) >= 0 {
		return nil
	}
	return s
}

// contains tells whether a placement key is in a shard's range.
func contains(s *cairn.Shard, placementKey []byte) bool {
	return bytes.Compare(s.Start, placementKey) <= 0 && (len(s.End) == 0 || bytes.Compare(placementKey, s.End) < 0)
}

// locate is find for a key; buf is for the placement key.
func (k *keyspace) locate(key cairn.Key, buf []byte) *shard {
	return k.find(placement.Key(k.Placement, key, buf))
}

// shard is one shard as defined at a map revision, with what it holds. A
// change of its definition makes a new shard that may have the population of
// the old.
type shard struct {
	cairn.Shard
	*population
}

// population is what a shard holds. What is not atomic is guarded by Index.mu.
type population struct {
	count    atomic.Uint64
	ordinals *roaring.Bitmap
	nodes    []nodeCount
	// sum is that of the digest.
	sum    uint64
	fences fences
	load   shardLoad
	// since is the log index at which all of it became the cluster's, by the move that
	// the shard names; 0 if it did not come as a whole.
	since uint64
	// bounded is the epoch since which the shard has had its bounds: what was written in
	// an earlier one may have been so to its keys in another shard. 0 where that is not
	// known.
	bounded uint64
	// blocks are those that only this shard takes ordinals from.
	blocks []uint16
	// changed is the generation of the last change.
	changed uint64
	// number is the projections' name of it; 0 until it has got one.
	number projection.Shard
}

// nodeCount is how many entries name a node.
type nodeCount struct {
	node    cairn.NodeID
	entries uint64
}

func newPopulation() *population {
	p := &population{ordinals: roaring.New()}
	p.ordinals.SetCopyOnWrite(true) // a checkpoint takes a copy at once
	return p
}

func (p *population) entries() uint64 { return p.count.Load() }

func (p *population) add(ordinal uint32, nodes []cairn.NodeID) {
	p.ordinals.Add(ordinal)
	p.count.Add(1)
	p.countNodes(nodes, 1)
}

func (p *population) remove(ordinal uint32, nodes []cairn.NodeID) {
	p.ordinals.Remove(ordinal)
	p.count.Add(^uint64(0))
	p.countNodes(nodes, ^uint64(0))
}

// countNodes adds n, modulo 2^64, to each node's count.
func (p *population) countNodes(nodes []cairn.NodeID, n uint64) {
	for _, id := range nodes {
		p.countNode(id, n)
	}
}

func (p *population) countNode(id cairn.NodeID, n uint64) {
	for i := range p.nodes {
		if p.nodes[i].node == id {
			p.nodes[i].entries += n
			return
		}
	}
	p.nodes = append(p.nodes, nodeCount{id, n})
}

// freeze is a copy for a checkpoint to write while p changes.
func (p *population) freeze() *population {
	copied := &population{
		ordinals: p.ordinals.Clone(),
		nodes:    slices.DeleteFunc(slices.Clone(p.nodes), func(n nodeCount) bool { return n.entries == 0 }),
		blocks:   slices.Clone(p.blocks),
		sum:      p.sum,
		since:    p.since,
		bounded:  p.bounded,
	}
	copied.fences.all = slices.Clone(p.fences.all)
	copied.count.Store(p.entries())
	return copied
}

// absorb adds all of another population to p.
func (p *population) absorb(other *population) {
	p.ordinals = roaring.Or(p.ordinals, other.ordinals)
	p.ordinals.SetCopyOnWrite(true)
	p.count.Store(p.ordinals.GetCardinality())
	p.sum += other.sum
	for _, n := range other.nodes {
		p.countNode(n.node, n.entries)
	}
	p.blocks = append(p.blocks, other.blocks...)
	p.load.takePart(&other.load, 1)
}

// shardKey is where a shard stands in bucketShards.
func shardKey(keyspace cairn.UID, id cairn.ShardID) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(keyspace))
	return binary.BigEndian.AppendUint64(key, uint64(id))
}

// What stands behind a shard's definition in its record.
const (
	shardServed = iota // before format 8, as shardSince
	shardWithheld
	shardSince   // and since when, for one that came as a whole
	shardBounded // since when it has been the cluster's as a whole, and has had its bounds
)

// encodeShard is what stands in bucketShards: the definition, whether it is
// withheld, else since when it is as it is, and the population, sealed.
func encodeShard(s *cairn.Shard, p *population, withheld bool) ([]byte, error) {
	out := appendShard(nil, s)
	if withheld {
		out = append(out, shardWithheld)
	} else {
		out = binary.AppendUvarint(append(out, shardBounded), p.since)
		out = binary.AppendUvarint(out, p.bounded)
	}
	out, err := appendPopulation(out, p)
	return seal(out), err
}

// decodeShard reads what encodeShard writes, and is false for anything else.
func decodeShard(sealed []byte) (s *shard, withheld, ok bool) {
	value, ok := unseal(sealed)
	if !ok {
		return nil, false, false
	}
	d := decoder{rest: value}
	s = &shard{Shard: d.shard()}
	var since, bounded uint64
	switch d.number(shardBounded) {
	case shardWithheld:
		withheld = true
	case shardSince:
		since = d.uvarint()
	case shardBounded:
		since, bounded = d.uvarint(), d.uvarint()
	}
	if s.population, ok = d.population(); ok {
		s.since, s.bounded = since, bounded
	}
	return s, withheld, ok
}

// appendPopulation writes the nodes' counts, the blocks, the sum of the digest,
// the fences and, last, the bitmap of ordinals.
func appendPopulation(out []byte, p *population) ([]byte, error) {
	out = binary.AppendUvarint(out, uint64(len(p.nodes)))
	for _, n := range p.nodes {
		out = binary.AppendUvarint(out, uint64(n.node))
		out = binary.AppendUvarint(out, n.entries)
	}
	out = binary.AppendUvarint(out, uint64(len(p.blocks)))
	for _, number := range p.blocks {
		out = binary.BigEndian.AppendUint16(out, number)
	}
	out = binary.BigEndian.AppendUint64(out, p.sum)
	out = p.fences.append(out)
	return appendBitmap(out, p.ordinals)
}

func appendBitmap(out []byte, b *roaring.Bitmap) ([]byte, error) {
	encoded, err := b.ToBytes()
	return append(out, encoded...), err
}

// population reads what appendPopulation writes, to the end of what there is.
func (d *decoder) population() (*population, bool) {
	p := newPopulation()
	for range d.count(2) {
		p.nodes = append(p.nodes, nodeCount{cairn.NodeID(d.number(1<<32 - 1)), d.uvarint()})
	}
	for range d.count(2) {
		number := d.take(2)
		if number == nil {
			return nil, false
		}
		p.blocks = append(p.blocks, binary.BigEndian.Uint16(number))
	}
	p.sum = d.uint64()
	p.fences.load(d)
	if !d.ok() {
		return nil, false
	}
	bitmap, ok := decodeBitmap(d.rest)
	if !ok {
		return nil, false
	}
	p.ordinals = bitmap
	p.ordinals.SetCopyOnWrite(true)
	p.count.Store(bitmap.GetCardinality())
	return p, true
}

// decodeBitmap reads and validates a bitmap that fills value; nothing of value
// is kept.
func decodeBitmap(value []byte) (*roaring.Bitmap, bool) {
	bitmap := roaring.New()
	n, err := bitmap.ReadFrom(bytes.NewReader(value))
	if err != nil || n != int64(len(value)) || bitmap.Validate() != nil {
		return nil, false
	}
	return bitmap, true
}
