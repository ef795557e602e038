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
	// History calls back for the changes of the Map before a revision, all for 0,
	// the last first, until that returns false.
	History(ctx context.Context, before uint64, each func(shardmap.Happened) bool) error
	// Commit makes a change as a whole, or fails with KindConflict.
	Commit(ctx context.Context, change shardmap.Change) (revision uint64, err error)
}

// Status asks a cluster's node index about itself, at a state that has noted
// the map revision epoch.
type Status func(ctx context.Context, cluster *catalog.Cluster, epoch uint64) (cairn.IndexStatus, error)

// Backup has a cluster's node index deliver a backup of itself, in pieces.
type Backup func(ctx context.Context, cluster *catalog.Cluster, deliver func(data []byte) error) error

// Identify asks the replica of a node index at an address who it is.
type Identify func(ctx context.Context, address string) (cairn.Identity, error)

// Config is what an Admin needs. Store and Status are required.
type Config struct {
	Store  Store
	Status Status
	// Identify is needed for the replicas of clusters that declare any.
	Identify Identify
	// Backup is needed for backups.
	Backup Backup
	// CheckFilter checks the filters of views; without it no view can have one.
	CheckFilter catalog.FilterCheck
	// CountWhere counts the entries of a keyspace of which a condition is true,
	// all of them for an empty one. Without it a plan does not say how a view's
	// members would change.
	CountWhere func(ctx context.Context, keyspace, where string) (uint64, error)
	// Progress asks the indexes how far views are, in the order of their names.
	// Without it that is not known.
	Progress func(ctx context.Context, views ...string) []cairn.ViewProgress
	// Staged asks a move's target how many entries it has of the shard; false if
	// it can't be asked. Without it that is not known.
	Staged func(ctx context.Context, to *catalog.Cluster, move shardmap.Move) (entries uint64, known bool)
	// DataProgress asks the data mover of a move's keyspace how far it is; false if there
	// is none, or it can't be asked. Without it that is not known.
	DataProgress func(ctx context.Context, m *shardmap.Map, move shardmap.Move) (DataProgress, bool)
	// Verify is needed to verify shards.
	Verify Verify
	// Moving asks source and target of a move what they have; without it that is not
	// compared.
	Moving func(ctx context.Context, m *shardmap.Map, move shardmap.Move) (cairn.FenceState, cairn.Staged, error)
	// MoveTurn tells whether a move of a Map has its turn. Without it that is not
	// known.
	MoveTurn func(m *shardmap.Map, move cairn.UID) bool
}

// Admin carries operations out. It is safe for concurrent use and holds no
// state of its own.
type Admin struct {
	store  Store
	status Status
	config Config
}

// New makes an Admin.
func New(config Config) *Admin { return &Admin{config.Store, config.Status, config} }

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
	// HeldBy is the active move of the shard, 0 if there is none.
	HeldBy cairn.UID
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
	Changes []ResourceChange
	// Plan is the plan's fingerprint.
	Plan string
	// Revision is that of the transaction; 0 with ValidateOnly, and the Map's
	// where there was nothing to change.
	Revision uint64
}

// ResourceChange is what an apply does to one resource.
type ResourceChange struct {
	catalog.ResourceChange
	// Membership is how many entries a view gains and loses by another filter;
	// nil where that was not asked for, or is not known. It is no part of the
	// plan: entries come and go.
	Membership *Membership
}

// Membership is how many entries a view gains and loses.
type Membership struct{ Gained, Lost uint64 }

// SplitAt is where to split: at one of its fields, or in the middle of a hash
// shard with neither.
type SplitAt struct {
	PlacementKey []byte
	Key          cairn.Key
}
