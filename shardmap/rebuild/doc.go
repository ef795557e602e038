// Package rebuild makes the map again out of what the clusters' indexes know of it,
// where its store is lost, or older than they are. It is pure: a Plan says what is to
// be written, and what is not certain.
//
// Every index has noted what its cluster owned, with the records of its cluster, its
// keyspaces and their views. Of a cluster's replicas the one counts that has noted
// the latest map; between clusters, whoever has a range in the higher epoch has it:
// the other has not heard that it lost it. What nobody has is a gap, and refused
// unless the caller says what to make of it: an index that is not asked may have it.
package rebuild
