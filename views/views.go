package views

import (
	"slices"

	"cairn"
	"cairn/views/order"
)

// Views are the projections of one keyspace in one node index. One goroutine
// calls its methods; the Snapshots it hands out are for any.
type Views struct {
	schema *cairn.Schema
	// bitmaps and present are all there is; the rest finds things in them.
	bitmaps bitmaps
	present state
	orders  []*sorted
	shards  map[cairn.ShardID]uint32 // slots in present.shards
	// freeShards are slots below present.shardSize that no shard has.
	freeShards []uint32
	foldLeast  int // the constant, but for tests
	effort     Effort
	// What the entry being put has and was: its values, a set of views to
	// make, and how it stood in each order.
	row     row
	viewSet order.ViewSet
	lifted  []standing
}

// state is what a snapshot is of. Every part of it is copied before it is
// changed if a snapshot may have it.
type state struct {
	keys       keys
	dense      *denseSets
	tallies    *blockTallies
	entries    *bitmap
	attributes []attribute         // ascending by id
	ids        []cairn.AttributeID // of attributes
	// views are by slot, nil where a slot is free; members are their members.
	views     []*view
	members   []*bitmap
	shards    paged[*shard]
	shardSize uint32 // slots in use or free, all below it
	hidden    []uint32
	// totals counts the members of each view in all shards, by slot.
	totals   []int
	totalsOf uint64 // the generation that made totals and members
}

// New makes the projections of a keyspace without entries or views. Attributes
// that are not indexed are passed over. Columns are the owner's own, beside the
// schema's attributes; no filter can name them.
func New(schema *cairn.Schema, columns ...cairn.AttributeSpec) *Views {
	v := &Views{schema: schema, shards: map[cairn.ShardID]uint32{}, foldLeast: foldLeast}
	v.bitmaps.generation = 1
	v.present.dense, v.present.tallies = &denseSets{}, &blockTallies{}
	for _, spec := range schema.Attributes() {
		if !spec.Unindexed {
			v.present.attributes = append(v.present.attributes, newAttribute(spec))
		}
	}
	for _, spec := range columns {
		v.present.attributes = append(v.present.attributes, newAttribute(spec))
	}
	slices.SortFunc(v.present.attributes, func(a, b attribute) int { return int(int64(a.spec.ID) - int64(b.spec.ID)) })
	for _, a := range v.present.attributes {
		v.present.ids = append(v.present.ids, a.spec.ID)
	}
	v.row = row{ids: v.present.ids, values: make([]cairn.Value, len(v.present.ids))}
	return v
}

// index is where an attribute stands among the attributes.
func (s *state) index(id cairn.AttributeID) (int, bool) {
	return slices.BinarySearch(s.ids, id)
}

// attribute finds the attribute with an id; nil if there is none.
func (s *state) attribute(id cairn.AttributeID) *attribute {
	if i, found := s.index(id); found {
		return &s.attributes[i]
	}
	return nil
}

// ownCounts readies totals and members for being changed.
func (v *Views) ownCounts() {
	if s := &v.present; s.totalsOf != v.bitmaps.generation {
		s.totals, s.members = slices.Clone(s.totals), slices.Clone(s.members)
		s.totalsOf = v.bitmaps.generation
	}
}

// attributeSet is a set of attributes by where they stand: a schema's and up
// to 64 columns of the owner's.
type attributeSet [cairn.MaxAttributes/64 + 1]uint64

func (s *attributeSet) add(index int)      { s[index/64] |= 1 << (index % 64) }
func (s *attributeSet) has(index int) bool { return s[index/64]>>(index%64)&1 != 0 }

func (s *attributeSet) meets(other *attributeSet) bool {
	for i, word := range s {
		if word&other[i] != 0 {
			return true
		}
	}
	return false
}
