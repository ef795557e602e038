// Package stack runs Cairn as the workloads measure it: as a deployment has
// it, router and index in processes of their own with etcd beside them, and as
// a service has it that embeds the router next to an index.
//
// Both hold one keyspace, Keyspace, on one cluster of three nodes. What views
// are measured on is in between: the router inside the service, and the indexes
// of two clusters in processes of their own (Scattered).
package stack
