// Package admin is what operators do to the shard map: declare keyspaces,
// clusters and views, show and delete them, split, merge, pin and
// move shards. Beside it
// stands the Flipper, which has new versions of views serve once every index
// has built them.
//
// Each operation decides on a Map that is at least as new as etcd was when it
// began, and commits by compare-and-swap: it loses to a concurrent change
// (cairn.KindConflict) rather than undo it. What it needs to know of entries it
// asks of the node indexes that own them.
package admin
