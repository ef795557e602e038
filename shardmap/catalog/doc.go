// Package catalog is what operators declare: keyspaces, clusters and views, as
// written (KeyspaceSpec, ClusterSpec, ViewSpec) and as they stand with their
// ids (Keyspace, Cluster, View), and the plan that leads from one to the other.
//
// Everything here is pure: no I/O, no clock. A Catalog is immutable, so that
// readers share it without a lock. The Keyspaces, Clusters and Views that it
// hands out belong to it and must not be modified.
//
// A view has versions, because its indexes need time to build one. Declaring
// another filter or sort makes a Building version; the Serving one answers
// until every owner has built it. What links CEL is left to the caller: see
// FilterCheck.
//
// Plan decides what an apply would do and refuses what it must not; whoever
// carries the plan out compares the revisions in it with those in the store,
// so that a plan is carried out as it was shown or not at all.
package catalog
