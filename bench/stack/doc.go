// Package stack runs Cairn as the workloads measure it: as a deployment has
// it, router and index in processes of their own with etcd beside them, and as
// a service has it that embeds the router next to an index.
//
// Both hold one keyspace, Keyspace, on one cluster of three nodes.
package stack
