package cairn

import "fmt"

// Scheme is how a keyspace orders its keys.
type Scheme uint8

// The placement schemes.
const (
	// SchemeHash orders keys by the 64-bit hash of their affinity part.
	SchemeHash Scheme = iota + 1
	// SchemeRange orders keys by themselves.
	SchemeRange
)

func (s Scheme) String() string {
	switch s {
	case SchemeHash:
		return "hash"
	case SchemeRange:
		return "range"
	}
	return fmt.Sprintf("scheme %d", uint8(s))
}

// Placement is how a keyspace's keys become placement keys.
type Placement struct {
	Scheme Scheme
	// Affinity is a delimiter: keys that agree up to its first occurrence are
	// placed together. Empty: the whole key counts. Only with SchemeHash.
	Affinity string
}

// Keyspace is what a node index needs to know of a keyspace.
type Keyspace struct {
	UID       UID
	Name      string
	Placement Placement
	// Replicas is how many nodes an entry gets, the primary included.
	Replicas int
	Schema   *Schema
	// Deleting is set while the keyspace is about to be deleted: writes are
	// refused (KindPrecondition, KEYSPACE_DELETING), reads go on.
	Deleting bool
}

// Shard is a contiguous range of a keyspace's placement keys.
type Shard struct {
	Keyspace UID
	ID       ShardID
	// Start and End bound its placement keys: [Start, End). An empty End is
	// open.
	Start, End []byte
	// Epoch is the map revision of the last change of owner or bounds.
	Epoch uint64
	// Move is the move by which its owner got it, 0 for none. An index that does
	// not hold the shard yet serves it only with all that was staged for that
	// move.
	Move UID
}

// NodeState is whether a node takes entries.
type NodeState uint8

// The states of a node.
const (
	// NodeActive nodes get new entries.
	NodeActive NodeState = iota + 1
	// NodeDraining nodes keep their entries and get no new ones.
	NodeDraining
	// NodeDown nodes can't be reached: they get no new entries, and readers are
	// sent to the other nodes of an entry.
	NodeDown
)

var nodeStateNames = [...]string{"unknown", "active", "draining", "down"}

func (s NodeState) String() string {
	if int(s) < len(nodeStateNames) {
		return nodeStateNames[s]
	}
	return nodeStateNames[0]
}

// HealthCheck is how a cluster's nodes are checked.
type HealthCheck uint8

// The checks of nodes.
const (
	// HealthNone: nobody checks.
	HealthNone HealthCheck = iota
	// HealthTCP: whether the node takes a connection.
	HealthTCP
	// HealthGRPC: whether it says that it serves, by gRPC's health protocol
	// (grpc.health.v1), of itself as a whole.
	HealthGRPC
)

var healthCheckNames = [...]string{"", "tcp", "grpc"}

// String is the check as manifests spell it, empty for none.
func (h HealthCheck) String() string {
	if int(h) < len(healthCheckNames) {
		return healthCheckNames[h]
	}
	return "unknown"
}

// ParseHealthCheck reads what String writes; false for anything else.
func ParseHealthCheck(text string) (HealthCheck, bool) {
	for i, name := range healthCheckNames {
		if text == name {
			return HealthCheck(i), true
		}
	}
	return 0, false
}

// Node is a database server inside a cluster.
type Node struct {
	ID      NodeID
	Name    string
	Address string
	Zone    string
	// Weight is its share of new entries, relative to its cluster's others; a
	// node of weight 0 gets none.
	Weight uint32
	State  NodeState
}

// Assignment is all that one cluster's node index needs from the map: what it
// owns at one map revision.
type Assignment struct {
	Revision  uint64
	Keyspaces []Keyspace
	Nodes     []Node
	Shards    []Shard
	// Views are every version to be kept of the views of Keyspaces.
	Views []View
	// Records are what else the map's store has of all that, ascending by name. An
	// index keeps them, and reads none.
	Records []Record
}

// Record is what the map's store has of one thing, as it stands there.
type Record struct {
	Name  string
	Value []byte
}

// KnownMap is what one replica of a node index knows of the map. Those of all
// clusters are what the map is made of again where its store is lost.
type KnownMap struct {
	// Assignment is what its log has noted last. Shards that it withholds are among
	// its Shards.
	Assignment
	// Applied is up to where it has applied its log.
	Applied uint64
	// Staged are shards that were moving to its cluster.
	Staged []StagedShard
}

// StagedShard is a shard of which entries are staged for a move.
type StagedShard struct {
	// Shard is as it was planned, with its owner's epoch. Its Move is what the
	// move's attempt is called, Attempt its number.
	Shard
	Attempt uint64
	// Whole tells that all is there: what is sealed could be activated.
	Whole bool
}
