// Package catalog is what operators declare: keyspaces and clusters, as
// written (KeyspaceSpec, ClusterSpec) and as they stand with their ids
// (Keyspace, Cluster), and the plan that leads from one to the other.
//
// Everything here is pure: no I/O, no clock. A Catalog is immutable, so that
// readers share it without a lock. The Keyspaces and Clusters that it hands
// out belong to it and must not be modified.
//
// Plan decides what an apply would do and refuses what it must not; whoever
// carries the plan out compares the revisions in it with those in the store,
// so that a plan is carried out as it was shown or not at all.
package catalog
