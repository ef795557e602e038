package cairn

// This file is the contract of a node index: what a router may ask of one
// cluster, and every outcome.

// MaxBatch is how many keys or writes one request may carry.
const MaxBatch = 10_000

// Read is what every reading request says.
type Read struct {
	Keyspace UID
	// Epoch is the map revision that the answering replica's log must have
	// noted: the highest epoch among the shards that the router decided by,
	// and that of the request's token.
	Epoch uint64
	Level Level
	// Index is, with AtLeast, the log index that must be applied.
	Index uint64
}

// Answer is what every answer says.
type Answer struct {
	// Revision is the map revision noted in the answering replica's log.
	Revision uint64
	// Index is the log index up to which the whole answer is true.
	Index uint64
}

// LocateRequest asks where keys live.
type LocateRequest struct {
	Read
	// WithAttributes asks for attributes and versions too.
	WithAttributes bool
	Keys           []Key
}

// LocateReply answers a LocateRequest, one result a key, in its order.
type LocateReply struct {
	Answer
	Results []Located
}

// LocateState is the outcome for one key.
type LocateState uint8

// The outcomes for one key.
const (
	// Found: the key has an entry.
	Found LocateState = iota + 1
	// Absent: the key is this cluster's and has no entry.
	Absent
	// NotOwned: by the replica's log the key is not this cluster's. Refresh
	// the map to at least the answer's revision and ask its owner.
	NotOwned
)

// Located is where one key lives.
type Located struct {
	State LocateState
	// Stamp is how fresh this result is: the epoch of the key's shard, and an
	// index at or above the answer's. Zero with NotOwned.
	Stamp Stamp
	// Nodes are the entry's, the primary first. Only with Found.
	Nodes []NodeID
	// Version and Attributes only with Found and WithAttributes.
	Version    Version
	Attributes Attributes
}

// WriteRequest asks for mutations, each by itself. Those of one key take
// effect in the order given: where one is refused with KindStale, so are the
// later ones of its key.
type WriteRequest struct {
	Keyspace UID
	// Epoch is as in Read.
	Epoch uint64
	// RequestID, if it is not zero, names the request that the mutations are
	// of, or some of: each is told apart by its Position. One whose outcome is
	// remembered has that outcome again, with a Stamp at or after its own.
	RequestID RequestID
	Mutations []Mutation
}

// WriteReply answers a WriteRequest, one result a mutation, in its order. All
// that took effect is durable.
type WriteReply struct {
	Answer
	Results []Written
}

// Written is the outcome of one mutation.
type Written struct {
	// Err is nil if the mutation took effect. Its kinds: KindStale, the key is
	// not this cluster's by the log; KindUnavailable (SHARD_FENCED), its shard is
	// about to be another's: try again; KindPrecondition, its condition did not
	// hold, or REQUEST_TOO_OLD, the request was issued before what is still
	// remembered, so that it was not carried out now but may have been before;
	// KindInvalid, a node or attribute that the log does not know or that may
	// not be used, or REQUEST_AHEAD, the request was issued in the log's
	// future; KindExhausted, the index is full.
	Err *Error
	// Existed tells whether the key had an entry before.
	Existed bool
	// Stamp is where in the log the mutation stands.
	Stamp Stamp
	// Version and Nodes are the entry's, after a Put or a Merge.
	Version Version
	Nodes   []NodeID
}

// ListRequest asks for a page of entries in key order.
type ListRequest struct {
	Read
	// Keys in [Start, End); an empty End is open.
	Start, End Key
	// At most so many entries and about so many bytes.
	Limit, MaxBytes int
}

// ListReply answers a ListRequest.
type ListReply struct {
	Answer
	// Fingerprint is of the (shard, epoch) set that the page was read from;
	// see Fingerprint.
	Fingerprint Fingerprint
	Entries     []Entry
	// More tells whether the range may hold entries after these.
	More bool
}

// WatchRequest asks for the changes of one keyspace after a log index.
type WatchRequest struct {
	Keyspace UID
	// After is the index after which changes are sent; 0: from now on.
	After uint64
}

// WatchBatch is what a watch delivers: every change up to Answer.Index since
// the batch before. It may have none, as a heartbeat.
type WatchBatch struct {
	Answer
	Changes []Change
}

// IndexStatus is what a node index says of itself.
type IndexStatus struct {
	// Replica names who answered: an address, or "in-process".
	Replica         string
	AppliedIndex    uint64
	CheckpointIndex uint64
	// CheckpointAge is how long ago the checkpoint was written, in
	// nanoseconds.
	CheckpointAge int64
	MapRevision   uint64
	Entries       uint64
	// NodeEntries counts those of Arriving and Kept too.
	NodeEntries map[NodeID]uint64
	Shards      []ShardStatus
	// Arriving are shards of which entries are staged for a move, Withheld those
	// that are the cluster's and not served, since what they hold did not arrive
	// as a whole. Kept are shards that moves took away, as they were then.
	Arriving, Withheld, Kept []ShardStatus
	Views                    []ViewState
	// ViewBytes is the memory that all views and their attributes take, keys
	// included.
	ViewBytes int64
	// ViewEvaluations is how often a view's filter was tried on an entry, ViewPlacements
	// of how many entries their place in an order was looked for, since the views
	// serve. Of what comes with a shard both are told. 0 where the index was asked
	// over the wire.
	ViewEvaluations uint64
	ViewPlacements  uint64
	FileBytes       int64
	// OverlayBytes is about how much memory the changes take that are in no
	// checkpoint yet; 0 where the index was asked over the wire.
	OverlayBytes int64
	// KeyBytes is the memory of the keys that locates find without the file; 0
	// where they are read from it.
	KeyBytes int64
	// RequestBytes is the memory of the requests with ids that are remembered,
	// RequestWindow how far back in issue time they reach, in nanoseconds. 0
	// where the index was asked over the wire.
	RequestBytes  int64
	RequestWindow int64
	// ChangeBytes is what the log of changes takes on disk, ChangeFloor the log index
	// after which it has every change, ChangeReach how far back it reaches, in
	// nanoseconds. 0 where the index was asked over the wire.
	ChangeBytes int64
	ChangeFloor uint64
	ChangeReach int64
	// WideAttributes are attributes of so many different strings that they have
	// no bitmap a value in the views: conditions on them read every entry. Empty
	// where the index was asked over the wire.
	WideAttributes []string
	// WriteRefusal says why writes are refused; empty while they are taken.
	WriteRefusal string
	// Diverged tells that the replica differs from the one that led, so that it
	// answers nothing else. Left out over the wire, where WriteRefusal says it.
	Diverged bool
	// ReplicaID is the answering replica's in Members, which are those of the
	// index by its log. Both are empty over the wire: see Identity.
	ReplicaID string
	Members   []Member
}

// Identity is who a replica of a node index is.
type Identity struct {
	// Cluster is whose index it is a replica of; 0 for one that runs in its
	// asker's process.
	Cluster UID
	// ReplicaID is the replica's in Members.
	ReplicaID string
	// AppliedIndex and MapRevision are how far it has applied its log.
	AppliedIndex, MapRevision uint64
	// Members are the replicas of the index by its log; none while it waits to be
	// made one.
	Members []Member
	// WriteRefusal says why it refuses writes; empty while it takes them, or
	// another leads.
	WriteRefusal string
}

// Member is one replica of a node index.
type Member struct {
	// ID is the replica's own; another directory is another replica.
	ID      string
	Address string
	// Voter tells a voter from a learner, which follows and does not count.
	Voter bool
	// Leader is the one that takes writes, as far as the answering one knows.
	Leader bool
}

// ShardStatus is what a node index holds of one shard.
type ShardStatus struct {
	Keyspace UID
	Shard    ShardID
	Epoch    uint64
	Entries  uint64
	// Reads and Writes are how many keys a second are read and written, by the
	// answering replica's count, averaged over about a minute; 0 but in Shards.
	Reads, Writes float64
	// NodeEntries is how many of the entries name each node; only in Shards.
	NodeEntries map[NodeID]uint64
}

// Fingerprint names a set of shards and their epochs, in any order. A scatter
// is right only where the router's and the index's fingerprints agree.
type Fingerprint uint64

// Add is f with a shard added.
func (f Fingerprint) Add(shard ShardID, epoch uint64) Fingerprint {
	// Commutative: a sum of well-mixed terms.
	return f + Fingerprint(mix(mix(uint64(shard))^epoch))
}

// mix is the output function of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
