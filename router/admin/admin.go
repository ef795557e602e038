package admin

import (
	"context"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

const (
	// liftTimeout bounds the undoing of a refused deletion.
	liftTimeout = 10 * time.Second
	// describeTimeout bounds how long a list waits for an index's counts, which
	// it can do without.
	describeTimeout = 2 * time.Second
)

// Store is the shard map's store; *etcdstore.Store is one.
type Store interface {
	// Refresh returns a Map at least as new as the store is now.
	Refresh(ctx context.Context) (*shardmap.Map, error)
	// Wait returns a Map of at least a revision.
	Wait(ctx context.Context, revision uint64) (*shardmap.Map, error)
	// Commit makes a change as a whole, or fails with KindConflict.
	Commit(ctx context.Context, change shardmap.Change) (revision uint64, err error)
}

// Status asks a cluster's node index about itself, at a state that has noted
// the map revision epoch.
type Status func(ctx context.Context, cluster *catalog.Cluster, epoch uint64) (cairn.IndexStatus, error)

// Admin carries operations out. It is safe for concurrent use and holds no
// state of its own.
type Admin struct {
	store  Store
	status Status
}

// New makes an Admin.
func New(store Store, status Status) *Admin { return &Admin{store, status} }

// KeyspaceInfo is a keyspace as it stands.
type KeyspaceInfo struct {
	*catalog.Keyspace
	ShardCount int
}

// ClusterInfo is a cluster as it stands.
type ClusterInfo struct {
	*catalog.Cluster
	ShardCount int
}

// ShardInfo is a shard as it stands.
type ShardInfo struct {
	shardmap.Shard
	ClusterName string
	// Entries is what its owner's index holds of it; only if EntriesKnown.
	Entries      uint64
	EntriesKnown bool
}

// ApplyOptions say how to apply.
type ApplyOptions struct {
	// ValidateOnly plans and changes nothing.
	ValidateOnly bool
	// Plan is the fingerprint of the plan that was shown; if what it touches
	// has changed, the apply is refused (KindConflict, PLAN_CHANGED). Empty:
	// apply whatever the plan is now.
	Plan string
}

// Applied is what an apply did, or would do.
type Applied struct {
	Changes []catalog.ResourceChange
	// Plan is the plan's fingerprint.
	Plan string
	// Revision is that of the transaction; 0 with ValidateOnly, and the Map's
	// where there was nothing to change.
	Revision uint64
}

// SplitAt is where to split: at one of its fields, or in the middle of a hash
// shard with neither.
type SplitAt struct {
	PlacementKey []byte
	Key          cairn.Key
}
