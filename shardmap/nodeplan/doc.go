// Package nodeplan decides which entries of one cluster get other nodes: those of a node
// that is to be emptied, or to be replaced by another, or as many as make every node
// have its share by weight. It is pure, and the same Input gives the same Plan.
//
//	p, err := nodeplan.Make(nodeplan.Input{Map: m, Cluster: cluster, Loads: loads, Wish: nodeplan.Drain, Node: "north-a"})
//	err = nodeplan.Write(file, p) // to be read, diffed, and carried out later
//	...
//	p, err = nodeplan.Read(file)
//	err = p.Check(current)        // refuses if what the plan touches has changed
//
// A Plan has one rule (cairn.Relocation) and the shards that it is carried out in, each
// by a move of its own. Which entries that moves is decided by their keys' hashes when
// it is carried out: a plan's numbers are what is expected.
package nodeplan
