package move

import (
	"context"

	"cairn"
)

// Shard is the shard that moves, as the move's record planned it.
type Shard struct {
	// Move names this attempt of the move at its source and its target: what is
	// fenced, staged, dropped or activated under one is never another's.
	Move     cairn.UID
	Keyspace cairn.UID
	Shard    cairn.ShardID
	Epoch    uint64
	// Start and End bound its placement keys: [Start, End). An empty End is open.
	Start, End []byte
}

// Digest is a commutative hash over a shard's entries: key, attributes and
// version of each, neither node nor ordinal. Only equality means anything.
type Digest [2]uint64

// Source is the node index that a shard moves away from: its leader. Each method
// fails with KindUnavailable or KindDeadline if that can't be asked or does not
// answer in time, when what was asked may still be carried out, even later; and
// with KindStale if the cluster does not own the shard at that epoch.
type Source interface {
	// Copy hands on the shard's entries as of one log index, in key order, those
	// after a key if after is not empty. A part is at most about 1 MiB; last is
	// its last key. It returns the error of each.
	Copy(ctx context.Context, cluster cairn.UID, s Shard, after []byte, each func(part []byte, index uint64, last []byte) error) error
	// Tail returns, as parts, what changed in the shard after a log index, the
	// ids of requests included, and the index through which they are all. Without
	// any change it waits a little. KindCompacted: the log no longer reaches back
	// that far.
	Tail(ctx context.Context, cluster cairn.UID, s Shard, after uint64) (parts [][]byte, through uint64, err error)
	// Fence has the shard take no writes, and tells since which log index and what
	// it holds there. A number at or below the last that the source saw for the
	// shard changes nothing; unless it is the fence that stands, it is refused as
	// KindConflict.
	Fence(ctx context.Context, cluster cairn.UID, s Shard, n uint64) (index uint64, digest Digest, err error)
	// Unfence lifts fence n and every one below; none of them takes effect any
	// more, however late it comes. One above n that stands is left alone.
	Unfence(ctx context.Context, cluster cairn.UID, s Shard, n uint64) error
}

// Target is the node index that a shard moves to: its leader. Its methods fail as
// those of Source, but for KindStale.
type Target interface {
	// Stage takes a part in, unseen by readers, each entry with nodes of the
	// target. A part that it has already changes nothing; one that does not follow
	// on what it has is refused as KindConflict.
	Stage(ctx context.Context, cluster cairn.UID, s Shard, part []byte) (Staged, error)
	// Staged tells what it has; the zero Staged if nothing.
	Staged(ctx context.Context, cluster cairn.UID, s Shard) (Staged, error)
	// Drop forgets what is staged.
	Drop(ctx context.Context, cluster cairn.UID, s Shard) error
	// Activate returns once the target's log has noted the map of a revision, and
	// so serves what that gives it.
	Activate(ctx context.Context, cluster cairn.UID, revision uint64) error
}

// Staged is what a target has of a shard that moves to it.
type Staged struct {
	// Copied is the source's log index that the copy is of; 0 if there is none.
	Copied uint64
	// Last is the last key of the copy so far, Complete tells that it is all.
	Last     []byte
	Complete bool
	// Through is the source's log index up to which all changes are in.
	Through uint64
	Entries uint64
	Digest  Digest
}
