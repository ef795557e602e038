// Package shardmap is which cluster owns which part of each keyspace: the
// immutable Map, looking things up in it, and the changes that lead from one
// Map to the next. It is pure: no I/O, no clock, no goroutine.
//
// A Map is loaded with a Builder and followed with Map.Apply, which gives a new
// Map that shares with the old one all that did not change. Split, Merge and
// Create decide what a change does and return it as data, a Change; whoever
// stores it (package etcdstore) compares the revisions that it was decided on.
//
// The shards of a keyspace stand in a tree of sorted columns (node, leaf), the
// same for both placement schemes; beside it stand where each id begins (ids)
// and what each cluster owns (owners). All three are copied along the path of
// a change only. Their bytes are shared between Maps and with what the methods
// return: never modify a bound that came out of here.
package shardmap
