// Package projection is the views of one keyspace in one node index: it brings
// what the log says of them (definitions, entries, shards) to package views,
// and its snapshots to whoever asks. It does no I/O: its owner reads entries
// and files.
//
// # Who calls what
//
// The owner has one lock. With it held it calls what changes the projection:
// Define, Drop, Put, Delete, Move, Arrive, Gather, Settle, Show, Depart, Touched,
// Step. Ask and Snapshot are for any goroutine, without the lock; they take it for a
// moment when the snapshot that is there is out of date. So writes that nobody asks after pay for no
// snapshot, and a burst of writes between two questions for one.
//
// # Filling
//
// Projections are made out of entries in three cases: the keyspace's first
// view, other indexed attributes, and a restart without a good image. That goes
// on beside the projections that serve, if there are any: a Fill is handed to
// the owner, who adds every entry to it, in its own time and without the lock,
// while Put and Delete note what changes meanwhile, within bounds. At its end the
// Fill takes over in one step.
//
// Shards are known here by numbers that the owner gives them and never uses
// again, so that one which comes back after it has left is another one.
package projection
