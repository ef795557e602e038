// Package placement turns keys into placement keys, the bytes that order a
// keyspace and that shards are ranges of.
//
// Under cairn.SchemeRange a placement key is the key itself; under
// cairn.SchemeHash it is the 64-bit xxHash (Collet) of the key's affinity
// part, big-endian, so that the same order of bytes serves both schemes.
// Which hash it is can't change: stored shard bounds depend on it.
package placement
