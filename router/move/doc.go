// Package move moves shards between clusters while everyone keeps working.
//
// A move is a record in etcd (shardmap.Move). Decide is the whole protocol, as a
// pure function: what a mover knows of one move in, the next thing to do out. Its
// test explores every interleaving of a small world of movers that crash and
// messages that are late, lost or repeated.
//
// The Driver carries the decisions out, for all moves of a map, in the one router
// that is elected to. The election only saves work: what keeps two movers at once
// from harm is that each step of a record is a compare-and-swap, that fences are
// numbered, and that indexes check what they are told when they apply it.
//
// Where a keyspace names a data mover, that is told the keys of the shard and called in
// the same phases; see Data.
//
// The mover pipes: it reads parts of the shard from the source's leader and hands
// them to the target's. What a part holds is between those two. How far a copy is
// is in the target's log, so that a mover has nothing to lose.
package move
