// Package nodeindex is the node index of one cluster: the deterministic state
// machine that maps keys to nodes, over one bbolt file.
//
// A replicated log drives it. Index.Apply takes the log's commands in order,
// one goroutine, and changes the state in memory at once: entries, ordinals,
// bitmaps and counts. The file is written by checkpoints alone, each one
// transaction that holds everything up to one log index, that index included, or, of
// many keys, such a one and others that bring their changes to where they belong;
// whoever restarts opens the file and applies the log after
// Index.Checkpointed again. The log must therefore not be cut behind anything
// but a written checkpoint.
//
// # Commands
//
// All are made by the leader: Index.Prepare joins write requests into one
// command and adds what is not deterministic (the time, the nodes to use for keys
// that turn out to be new); Index.Diff makes the command that leads from the
// assignment in the log to a newer one; Index.MarkCommand has the replicas compare
// what they hold; those of moves are below. The empty command changes nothing but
// the applied index. A request with an id that was applied before has its outcomes
// again and changes nothing. Everything is checked again when it is applied, by the
// log's own state, so that every replica decides alike. Only ordinals may differ
// between replicas.
//
// # Reading
//
// Locate, List, Watch, Status and Wait may be called by any goroutine at any
// time; they never wait for Apply or for a checkpoint. A read sees the state
// of the applied index at its begin, or newer.
//
// # Checkpoints
//
// Index.Freeze, called between two Applies, sets aside what has been applied
// so far and is quick; Checkpoint.Write then writes it while Apply goes on. A
// checkpoint that fails leaves everything served as before, and the next one
// covers what it would have written.
//
// # Moves
//
// A shard moves from one cluster's index to another's. At its source CopyShard
// and TailShard make parts of what it holds and of what has become of that, and
// FenceCommand has it take no writes, or again. At its target Index.PrepareStage
// makes commands of the parts, and DropCommand forgets them. What is staged is
// seen by nobody until an assignment says that the shard is the cluster's, by that
// move; then all of it is, or, if it is not whole, nothing (Index.Withheld).
//
// # Snapshots
//
// Index.WriteSnapshot copies the file as its last checkpoint left it, with a
// checksum. Index.Receive takes such a copy in at another replica, and
// Index.Install has that one go on from it, in place of its own file, while
// reads go on.
//
// # Backups
//
// Index.WriteBackup writes a snapshot that says what it is of; ExtractBackup
// makes an index file of one, and Index.Rebase has that go on at a log index
// that nothing before it has reached. What lies between is lost (Index.Lost).
// Compact gives a file's free pages back.
package nodeindex
