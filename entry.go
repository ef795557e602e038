package cairn

import "time"

// Entry is what a node index holds under a key.
type Entry struct {
	Key Key
	// Nodes hold the key's data, the primary first. Never empty.
	Nodes      []NodeID
	Attributes Attributes
	Version    Version
}

// Change is one applied write.
type Change struct {
	Key   Key
	Shard ShardID
	// Before is nil where the key had no entry, After where it has none now.
	Before, After *Entry
	// Stamp is where in the owner's log the write stands.
	Stamp Stamp
	// Time is when the leader took the write, by its clock.
	Time time.Time
}

// MaxReplicas is how many nodes an entry may have.
const MaxReplicas = 16

// Operation is what a mutation does.
type Operation uint8

// The operations.
const (
	// Put creates an entry or replaces its attributes.
	Put Operation = iota + 1
	// Merge creates an entry or patches its attributes.
	Merge
	// Delete removes an entry.
	Delete
)

// Mutation is one write.
type Mutation struct {
	Operation Operation
	Key       Key
	// Nodes, if any, become the entry's; otherwise it keeps the present ones
	// or, if it is new, gets them by its cluster's placement policy.
	Nodes      []NodeID
	Attributes Attributes
	// Condition must hold when the mutation is applied.
	Condition Condition
	// Position is the write's place in the request that a RequestID names.
	// Ascending in a WriteRequest; of no meaning without a RequestID.
	Position uint32
}

// Condition is what must hold of an entry for a mutation to take effect. The
// zero Condition always holds.
type Condition struct {
	// Present says that there is a condition: the entry's version is Version,
	// zero meaning that the key has no entry.
	Present bool
	Version Version
}
