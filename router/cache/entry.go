package cache

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"cairn"
	"cairn/shardmap/catalog"
)

// Entry is where one key lived, or that it had no entry. It is immutable but for Named.
//
// It stands in the table beside its key's hash, with what a lookup compares and most
// answers have: to find one is to wait for memory twice, for the place in the table and for
// the node there, which is as long as two lines of a processor's cache.
type Entry struct {
	session *session
	more    *more // nil where there is no more to say
	// seen is what the Token refers to. No two Entries share it.
	seen         *cairn.ClusterIndex
	epoch, index uint64 // the Stamp
	short        [shortKey]byte
	node         cairn.NodeID // if there is one and no other, else 0
	length       uint16       // of the key
	// State is Found or Absent.
	State cairn.LocateState
	// WithAttributes tells whether versions and attributes were asked for.
	WithAttributes bool
}

// shortKey is up to which length a key stands in the Entry itself.
const shortKey = 40

// more is what most Entries have not.
type more struct {
	key        string         // if it is longer than shortKey
	nodes      []cairn.NodeID // if they are several
	version    cairn.Version
	attributes cairn.Attributes
	revision   uint64 // the map revision that the index had noted
	named      atomic.Pointer[Named]
}

// Named is an Entry's location as declarations have its names.
type Named struct {
	// Cluster and Keyspace are the declarations that it was named by, compared by identity.
	Cluster  *catalog.Cluster
	Keyspace *catalog.Keyspace
	Location cairn.Location
	// Known tells whether they have all of its names.
	Known bool
}

// entryOverhead is what an Entry takes beside what is long: itself, its token, the head
// of its node, its place in the table, and the policy's sketch.
const entryOverhead = int(unsafe.Sizeof(Entry{})) + 128

// namedOverhead is what Named takes, a node more and an attribute.
const (
	namedOverhead = int(unsafe.Sizeof(Named{})) + 16
	namedNode     = int(unsafe.Sizeof((*cairn.Node)(nil)))
	namedValue    = int(unsafe.Sizeof(cairn.NamedValue{}))
)

// size is about how many bytes the entry takes in memory, once it has been named.
func (e *Entry) size() int {
	if e.more == nil {
		return entryOverhead
	}
	size := entryOverhead + int(unsafe.Sizeof(more{})) + len(e.more.key) + 4*len(e.more.nodes) + len(e.more.attributes)
	if e.NeedsNames() {
		// An encoded value takes at least two bytes.
		size += namedOverhead + namedNode*len(e.more.nodes) + namedValue*min(len(e.more.attributes)/2, maxNamed)
	}
	return size
}

// maxNamed bounds the values that are counted for an entry.
const maxNamed = 64

// NeedsNames tells whether to name the entry takes memory, so that it is worth keeping: it
// has several nodes, or attributes.
func (e *Entry) NeedsNames() bool {
	return e.more != nil && (len(e.more.nodes) > 0 || len(e.more.attributes) > 0)
}

// Named is what Name was told last, nil if nothing. Only of an Entry that NeedsNames.
func (e *Entry) Named() *Named { return e.more.named.Load() }

// Name keeps the Entry under names, for all who find it. Only of one that NeedsNames.
func (e *Entry) Name(named *Named) { e.more.named.Store(named) }

// Node is the entry's node where it has one and no other, else 0.
func (e *Entry) Node() cairn.NodeID { return e.node }

// Nodes are the entry's where it has several, the primary first. Only of an Entry that
// NeedsNames; they are shared, do not modify them.
func (e *Entry) Nodes() []cairn.NodeID { return e.more.nodes }

// Stamp is how fresh the answer is.
func (e *Entry) Stamp() cairn.Stamp { return cairn.Stamp{Epoch: e.epoch, Index: e.index} }

// Token is the Stamp as clients hold it.
func (e *Entry) Token() cairn.Token { return e.seen.Token(e.epoch) }

// Located is what the index answered. What it refers to is the Entry's: do not modify it.
func (e *Entry) Located() cairn.Located {
	located := cairn.Located{State: e.State, Stamp: e.Stamp()}
	if e.more != nil {
		located.Nodes, located.Version, located.Attributes = e.more.nodes, e.more.version, e.more.attributes
	}
	if e.node != 0 {
		located.Nodes = []cairn.NodeID{e.node}
	}
	return located
}

// Version is the entry's, with Found and WithAttributes.
func (e *Entry) Version() cairn.Version {
	if e.more == nil {
		return cairn.Version{}
	}
	return e.more.version
}

// Since is the map revision that the index had noted, of an Entry that NeedsNames.
func (e *Entry) Since() uint64 { return e.more.revision }

// Is tells whether two are the same, of one Fill.
func (e *Entry) Is(other *Entry) bool { return e.seen == other.seen }

// Fill is an index's answer about one key.
type Fill struct {
	// Located is Found or Absent. What it refers to is copied.
	Located        *cairn.Located
	WithAttributes bool
	// Revision is the answer's.
	Revision uint64
}

func newEntry(s *Source, key cairn.Key, fill Fill) Entry {
	located := fill.Located
	e := Entry{
		epoch: located.Stamp.Epoch, index: located.Stamp.Index, State: located.State, WithAttributes: fill.WithAttributes,
		seen: &cairn.ClusterIndex{Cluster: s.id.Cluster, Index: located.Stamp.Index}, length: uint16(len(key)),
	}
	whole := copy(e.short[:], key) == len(key)
	if len(located.Nodes) == 1 {
		e.node = located.Nodes[0]
	}
	if whole && len(located.Nodes) <= 1 && !fill.WithAttributes {
		return e
	}
	e.more = &more{version: located.Version, attributes: slices.Clone(located.Attributes), revision: fill.Revision}
	if !whole {
		e.more.key = string(key)
	}
	if len(located.Nodes) > 1 {
		e.more.nodes = slices.Clone(located.Nodes)
	}
	return e
}

// is tells whether the entry is of a key.
func (e *Entry) is(keyspace cairn.UID, key cairn.Key) bool {
	if e.session.keyspace != keyspace || int(e.length) != len(key) {
		return false
	}
	if e.length > shortKey {
		return e.more.key == string(key)
	}
	return string(e.short[:e.length]) == string(key)
}
