package cairn

// This file is what a node index is asked while a shard moves from one cluster
// to another, and every outcome. Who moves the shard reads parts from the index
// that owns it and hands them to the one that is to own it; parts are opaque to
// it.
//
// The copy is not of one moment: each part is of the log index that it names,
// none of one before the first part's. The tail has every change after an index,
// in order. So the copy with the tail from its first index on is exact wherever
// the tail ends.

// MovedKey is a key of a shard that moves, with the nodes that its entry has in the
// cluster that it leaves, as of the part that names it, and in the one it goes to.
type MovedKey struct {
	Key      Key
	From, To []NodeID
	// Gone: it has no entry any more, and no nodes.
	Gone bool
}

// Digest tells whether two indexes hold the same of a shard. Keys, attributes
// and versions count, nodes don't; the order does not matter.
type Digest struct {
	Entries uint64
	// Sum is of a hash of each entry, modulo 2^64.
	Sum uint64
}

// ShardCheck is what the file of a node index has of a shard, counted again.
type ShardCheck struct {
	// Index is the log index that the file is of.
	Index uint64
	// The shard as the index has it; Withheld tells that it is not served.
	Epoch      uint64
	Start, End []byte
	Withheld   bool
	// Kept is the digest that was kept with every write, Counted that of the
	// entries. One of both is damaged where they differ.
	Kept, Counted Digest
}

// MovingShard is a shard as the record of its move planned it.
type MovingShard struct {
	Move     UID
	Keyspace UID
	Shard    ShardID
	// Epoch is the shard's before the move.
	Epoch uint64
	// Attempt counts how often the move has begun to copy. What is staged is of
	// one attempt: a later one takes its place, an earlier one is refused, and
	// has it not be dropped.
	Attempt uint64
	// Start and End bound its placement keys, as in Shard.
	Start, End []byte
	// Kept names the move by which the shard left the cluster that it goes to now,
	// where that may have kept it; 0 if not.
	Kept UID
	// Nodes are the target's nodes that take the place of the source's. Entries of
	// nodes that are not among them get nodes by the target's placement policy.
	Nodes map[NodeID]NodeID
	// Relocation is how entries change nodes where the shard stays in its cluster; nil
	// if it leaves that.
	Relocation *Relocation
}

// Relocation says which entries of a shard get other nodes of the same cluster, and
// which ones. What becomes of an entry is decided by its key's hash and its nodes and
// nothing else, so that everybody comes to the same.
type Relocation struct {
	// Leaving are the nodes that entries leave, ascending by number.
	Leaving []LeavingNode
	// Instead takes the place of a node that an entry leaves, if the entry is not on it
	// already; 0 for none.
	Instead NodeID
	// Targets are the nodes to choose from otherwise, by weight as for new keys. Of each
	// only ID, Weight and Zone count. An entry that is on all of them stays.
	Targets []Node
	// Seed, if not 0, has the choice not be that for new keys.
	Seed uint64
}

// LeavingNode is a node that entries leave.
type LeavingNode struct {
	Node NodeID
	// Share is how many of them, in parts of WholeNode.
	Share uint32
}

// WholeNode is the share of all entries of a node.
const WholeNode = 1 << 16

// CopiedPart is a part of the copy of a shard.
type CopiedPart struct {
	Data []byte
	// Index is the log index of its owner that the part is of.
	Index uint64
	// Last is where the next part begins: opaque, and good for any replica of the
	// owner's. One that can't go on there begins anew, which costs time.
	Last []byte
	// Done: there is nothing after it.
	Done bool
}

// TailPart is what has become of a shard's entries, in (after, Through], After
// being what was asked for. It has nothing but Through where nothing has. More tells that
// the source had applied what lies behind Through already.
type TailPart struct {
	Data    []byte
	Through uint64
	More    bool
}

// FenceState is whether an index refuses the writes of a shard for a move
// (KindUnavailable, SHARD_FENCED).
type FenceState struct {
	// Number is the highest that the move has had set or lifted, 0 for none.
	Number uint64
	On     bool
	// Index is the log index at which the fence was set: no write of the shard
	// was applied since. 0 while it is not On.
	Index uint64
	// Digest is of what the shard holds.
	Digest Digest
}

// Staged is what an index holds of a shard that is moving there.
type Staged struct {
	// Copied is the Index of the copy's first part, 0 while there is nothing.
	Copied uint64
	// Last is the CopiedPart.Last of the last part; Complete tells that it was
	// Done.
	Last     []byte
	Complete bool
	// Through is up to which log index of the owner's the tail is there.
	Through uint64
	// Sealed is the number of the fence up to which everything is there, with the
	// owner's digest. 0 while it is not, or not any more. What is sealed can be
	// activated: served as of the log entry that notes the owner's change.
	Sealed uint64
	Digest Digest
	// Building tells that the keyspace's views are being made of the entries there, and
	// that the shard's would have no answers yet.
	Building bool
}
