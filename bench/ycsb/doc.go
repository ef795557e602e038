// Package ycsb is the core workloads A to F of YCSB (Cooper et al., "Benchmarking
// Cloud Serving Systems with YCSB", SoCC 2010), with its proportions and its
// zipfian constant, for Cairn and for whoever else keeps the same records. Peers
// are measured beside it by bench/peers.
//
// What YCSB does becomes what Cairn has: a read is a locate with the entry's
// attributes, an update a put that changes one attribute, an insert a put of a
// new entry, a scan a page of a view that begins behind a position. A record is
// an entry with a country and a number of seats; the view has all records in
// order of their seats. Keys are hashed, as YCSB's are, and writes durable.
package ycsb
