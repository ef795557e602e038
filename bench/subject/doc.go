// Package subject is Cairn as a system that is asked beside its peers: for nodes by
// keys (bench/locates), and as a keeper of YCSB's records (bench/ycsb). Both are
// one cluster whose index has one replica, a process of its own.
package subject
