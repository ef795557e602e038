// Package replica keeps a node index durable: one replica of a raft group around
// a nodeindex.Index, of one voter or several.
//
//	r, err := replica.Open(replica.Config{Dir: dir, Refresh: refresh})
//	...
//	defer r.Close()
//	err = r.Assign(ctx, assignment)
//	reply, err := r.Write(ctx, &request)
//
// # The group
//
// One replica leads, in a term (leadership.go), and takes commands; the others
// follow and name it. Whoever looks after the group, as leader, makes replicas
// members and lets them go (members.go). They talk over connections that Config
// brings (transport.go). A linearizable read makes sure by a round of its own
// that this replica still leads (confirm.go). Every so often the leader has all
// compare what they hold (mark.go).
//
// # Writes
//
// Requests that wait while the log is being appended to become its next
// command (commit.go); an idle replica appends at once. A write is
// acknowledged when its command is in the log, synced, and applied. What the
// outcome of a write is unknown of (the caller's context ended, or the log
// failed, while it was under way) is KindUnknown.
//
// # Reads
//
// Locate and List wait until the log has reached what they ask for (read.go):
// a map revision, which the leader fetches through Config.Refresh if its log
// has not noted it, a log index, or, linearizable, every write acknowledged
// before. Requests that wait together share one refresh or one round.
//
// # Moves
//
// The leader hands out what a shard holds and fences it (source.go), or takes in
// what another cluster's has handed out (target.go). While a shard is fenced, a
// linearizable read of it first has the map read (Config.Latest).
//
// # Checkpoints
//
// A raft snapshot is a checkpoint of the index: Freeze, then one transaction,
// whose index, term and configuration are all the snapshot store there is
// (snapshots.go). The log is cut behind durable checkpoints only. Checkpoints
// are taken by size and by age (checkpoint.go); an index with too much that is
// not checkpointed makes writes wait.
//
// # Snapshots
//
// A follower that needs what the leader's log has no more gets a copy of the
// leader's file as its last checkpoint left it (sending.go), and goes on from
// that (snapshots.go, machine.go). The log keeps what followers lack, within
// Config.LogBytes (retention.go). A log that such a copy took the place of is
// removed (continue.go).
//
// # Failures
//
// A write or sync of the log that fails stops the log at once: what it left
// on disk is not known, so nothing is written behind it (store.go). Reads go
// on. After a full disk the log is opened anew, as after a crash, when there
// is space again; after any other failure the replica takes no write until it
// is opened anew itself. A reserve of free space refuses writes before the
// disk is really full (disk.go). A replica whose disk hangs falls silent, so that
// another leads (disk.go), and a leader that takes no writes hands over
// (aside.go).
//
// Directory layout: index.db is the index, log/ the write-ahead log, snapshots/
// and backups/ what is being sent, index.db.incoming what is being received.
//
// # Restores
//
// Restart makes a directory with an index and no log the beginning of a new
// group; Recover makes such an index of what one replica of several has.
package replica
