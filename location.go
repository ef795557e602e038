package cairn

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"
)

// This file is what services get from a router: the answers, with names where
// a node index has ids. A router inside the service and the client of a
// remote one return the same types.

// Reading is how a reading verb is to be answered. The zero Reading asks for
// nodes alone, from any state that a replica has applied.
type Reading struct {
	Freshness Freshness
	// WithAttributes asks for attributes and versions too.
	WithAttributes bool
	// Choice is which of an entry's nodes to use.
	Choice NodeChoice
}

// NodeChoice is which of an entry's nodes that are up to use. The zero NodeChoice is as
// the router is told to.
type NodeChoice struct {
	Rule NodeRule
	// Zone is the caller's, as manifests spell it; empty for the router's own.
	Zone string
}

// NodeRule is how a node is chosen.
type NodeRule uint8

// The rules.
const (
	// RuleDefault is as the router is told to, RulePrimary if it is not.
	RuleDefault NodeRule = iota
	// RulePrimary: the primary, or the first of the others if that is down.
	RulePrimary
	// RuleNearest: one in the zone, by weight; as RuleAny where there is none.
	RuleNearest
	// RuleAny: any, by weight.
	RuleAny
)

// Location is where one key lives.
type Location struct {
	// State is Found or Absent; 0 where Err says why there is no answer.
	State LocateState
	// Cluster is the name of the cluster that owns the key. A remote router
	// tells it with Found only.
	Cluster string
	// Primary is the node that holds the key's data, Replicas are the further
	// ones. Only with Found. A node that is down is left out where another is not:
	// the first of those is the Primary then. They are shared: do not modify them.
	// A remote router tells a node's name, address and zone only.
	Primary  *Node
	Replicas []*Node
	// Use is which of these to use, by the Reading's Choice; only with Found.
	Use *Node
	// Epoch is that of the key's shard, only with Found. Who writes the key's data names
	// it to the node.
	Epoch uint64
	// Version and Attributes only with Found and WithAttributes.
	Version    Version
	Attributes NamedValues
	// Err is why this key could not be answered.
	Err *Error
}

// NamedValue is one attribute value under its attribute's name.
type NamedValue struct {
	Name  string
	Value Value
}

// NamedValues are attribute values in ascending order of name.
type NamedValues []NamedValue

// Sort puts the values in order of name.
func (n NamedValues) Sort() {
	slices.SortFunc(n, func(a, b NamedValue) int { return strings.Compare(a.Name, b.Name) })
}

// All yields the values with their names.
func (n NamedValues) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, each := range n {
			if !yield(each.Name, each.Value) {
				return
			}
		}
	}
}

// Get is the value of one attribute, and whether it is present.
func (n NamedValues) Get(name string) (Value, bool) {
	i, found := slices.BinarySearchFunc(n, name, func(v NamedValue, name string) int { return cmp.Compare(v.Name, name) })
	if !found {
		return Value{}, false
	}
	return n[i].Value, true
}

// NamedEntry is an entry as services see it.
type NamedEntry struct {
	Key     Key
	Cluster string
	// Primary and Replicas are as in Location.
	Primary    *Node
	Replicas   []*Node
	Version    Version
	Attributes NamedValues
}

// Range is what to list: the keys in [Start, End), an empty End being open, a
// page at a time.
type Range struct {
	Start, End Key
	// PageSize is at most how many entries a page has, 1 to MaxBatch; 0 for
	// 1,000. A page may have fewer for its size in bytes.
	PageSize int
	// PageToken is from the page before, of the same keyspace and range.
	PageToken string
}

// Page is one page of a keyspace's entries in key order.
type Page struct {
	Entries []NamedEntry
	// NextPageToken is empty on the last page.
	NextPageToken string
	// Token is how fresh the page is. The pages after it are at least as
	// fresh.
	Token Token
}

// Explanation is how one key is located, layer by layer.
type Explanation struct {
	// PlacementKey is what orders the key among the keyspace's shards.
	PlacementKey []byte
	Shard        Shard
	Cluster      string
	// Replica names who answered for the node index.
	Replica string
	// MapRevision is of the map that the router decided by; Revision is the
	// one noted in the log of the node index.
	MapRevision uint64
	Revision    uint64
	// Stamp is how fresh the answer is.
	Stamp    Stamp
	Location Location
	Token    Token
	// Cache is what the router's cache of locations had to say, before the index was asked.
	Cache CacheOutcome
	// Timings are what each layer took, in the order of the call.
	Timings []Timing
}

// CacheOutcome is what a locate of a key as fresh, without attributes, would get from a
// router's cache of locations.
type CacheOutcome uint8

// The outcomes.
const (
	// CacheNone: the router has no cache.
	CacheNone CacheOutcome = iota
	// CacheHit: it is answered.
	CacheHit
	// CacheMiss: the key is not there, under its shard's epoch.
	CacheMiss
	// CacheUnproven: it may be there, and is not known to be fresh enough. That is always
	// so of a linearizable read.
	CacheUnproven
)

// String is the outcome as people read it.
func (c CacheOutcome) String() string {
	switch c {
	case CacheNone:
		return "none"
	case CacheHit:
		return "hit"
	case CacheMiss:
		return "miss"
	case CacheUnproven:
		return "unproven"
	}
	return "unknown"
}

// Timing is what one layer took.
type Timing struct {
	Layer    string
	Duration time.Duration
}

// Write is one write as a service asks for it.
type Write struct {
	Operation Operation
	Key       Key
	// Node is the name of the primary. Empty: an existing entry keeps its
	// nodes, a new one gets them by its cluster's placement policy.
	Node string
	// Replicas are the names of further nodes, only together with Node.
	Replicas []string
	// Attributes, in any order, replace the entry's with Put and patch them
	// with Merge. Null, with Merge, makes an attribute absent.
	Attributes NamedValues
	Condition  Condition
}

// WriteOutcome is what became of one write.
type WriteOutcome struct {
	// Err is nil if the write took effect; it is durable then. KindUnknown
	// with the reason OUTCOME_UNKNOWN: it may or may not have taken effect.
	// With every other kind it has not.
	Err *Error
	// Existed tells whether the key had an entry before.
	Existed bool
	// Cluster, Version, Primary and Replicas are the entry's, after a Put or a
	// Merge; Primary and Replicas are as in Location.
	Cluster  string
	Version  Version
	Primary  *Node
	Replicas []*Node
}

// NamedChange is one applied write as services see it.
type NamedChange struct {
	Key   Key
	Shard ShardID
	// Before is nil where the key had no entry, After where it has none now.
	Before, After *NamedEntry
	// Time is when the leader took the write, by its clock; zero for an entry of
	// a snapshot.
	Time time.Time
}

// Changes is what a watch delivers. It may have none, as a heartbeat.
type Changes struct {
	Changes []NamedChange
	// Token is where to watch from to go on after these changes.
	Token Token
}
