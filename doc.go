// Package cairn is the vocabulary of Cairn, a sharded multi-layer index
// router: what keys, values, entries, stamps and errors are, and what a node
// index promises to whoever asks it. It imports the standard library only and
// does nothing by itself.
//
// The words mean the same everywhere, in code, API, CLI and documentation:
//
//   - A keyspace is a named set of keys with one placement and one schema.
//   - A shard is a contiguous range of a keyspace's placement keys, owned by
//     one cluster.
//   - A cluster is a database cluster: its nodes and its own node index.
//   - An entry maps a key to the nodes that hold it, with typed attributes.
//   - A stamp says how fresh an answer is; a token is what clients hold of it.
//
// Slices in this package's types (keys, attributes, nodes) are shared, not
// copied: whoever receives one must not modify it.
package cairn
