// Package etcdstore keeps the shard map in etcd: it loads it, watches it,
// publishes each new shardmap.Map, and changes it by compare-and-swap.
//
// One goroutine follows etcd and publishes; readers take the Map from an
// atomic pointer and wait for nobody. The Map's revision only grows: whatever
// etcd says, an older one never replaces a newer one. With a journal, the last
// Map survives on the local disk, and a Store opens with it while etcd is
// down; Staleness tells how long ago the Map was last known to be current.
//
// The layout is for operators to read with etcdctl. Under Prefix:
//
//	keyspaces/NAME                     a keyspace, JSON
//	clusters/NAME                      a cluster, JSON
//	shards/KEYSPACE/GENERATION/ID      a shard, JSON, one key each
//	views/NAME                         a view, JSON
//	moves/UID                          the move of a shard, JSON
//	creating/KEYSPACE                  a keyspace being created, under a lease
//	elections/NAME                     who carries moves out, under leases
//	routers/ADDRESS                    a router of the fleet, under a lease
//	committers/ID                      the last commit of one Store
//	deletions                          put when a keyspace, cluster or view is deleted
//
// A shard counts only if its keyspace's record names its generation. The
// shards of a new keyspace are written in as many transactions as they take;
// the last one, which writes the keyspace's record, makes all of them live.
// Shards of no keyspace that is live or being created are leftovers; Sweep
// deletes them.
package etcdstore
