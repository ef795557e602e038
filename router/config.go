package router

import (
	"context"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Topology is where the router gets its maps from.
type Topology interface {
	// Map is the newest map known, without waiting; nil before there is one.
	Map() *shardmap.Map
	// Wait returns a map at least as new as revision. It fails with the
	// context's error, or with KindUnavailable where none can be had.
	Wait(ctx context.Context, revision uint64) (*shardmap.Map, error)
}

// Index is one cluster's node index, in this process or behind a connection.
// Its methods may be called at the same time, end when their context does,
// and neither change nor keep what they were given once they have returned.
type Index interface {
	// Locate answers each key of the request, whose outcomes are in
	// cairn.LocateState. It reuses the reply's slices; what the results refer
	// to is good until the reply is used again. It fails with KindNotYet if
	// no replica is fresh enough within the deadline, with KindUnavailable if
	// none can be reached, and with KindStale if its log does not know the
	// keyspace; the reply's Answer, if set, then says by which map revision.
	Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error
	// Write carries out mutations, each by itself, and returns once they are
	// durable. It fails with KindUnknown if they may or may not have taken
	// effect; a failure with KindNotYet, KindUnavailable, KindStale,
	// KindExhausted or KindInvalid means that none did. KindDeadline and
	// every other kind are taken for KindUnknown. A write whose shard is fenced
	// is refused by itself, with the reason SHARD_FENCED.
	Write(ctx context.Context, req *cairn.WriteRequest) (*cairn.WriteReply, error)
	// List returns a page of entries of exactly the shards that the reply's
	// fingerprint names. It fails as Locate does.
	List(ctx context.Context, req *cairn.ListRequest) (*cairn.ListReply, error)
	// Watch delivers the changes of a keyspace in order of the log. The first
	// batch comes at once and tells where the watch begins; one without
	// changes comes now and then. What was delivered stays good. It returns
	// the error of deliver, of the context, KindCompacted if the log no longer
	// holds what was asked for, KindStale if it does not know the keyspace,
	// or KindUnavailable if the replica has gone; never nil.
	Watch(ctx context.Context, req cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error
	// Status tells how the index is, once its log has noted the map revision
	// epoch.
	Status(ctx context.Context, epoch uint64) (cairn.IndexStatus, error)
	ViewIndex
}

// ViewIndex is the views of one cluster's node index. Like Index.
type ViewIndex interface {
	// AskView answers a question from one state of the index, about exactly
	// the shards that the reply's fingerprint names. It fails as Locate does,
	// with KindNotFound (VIEW_VERSION_UNKNOWN) for a version that its log does
	// not know, with KindUnavailable (VIEW_BUILDING) for one that is not
	// complete, with KindInvalid for a question that can't be, and with
	// KindExhausted for one that would cost too much; the reply's Answer, if
	// set, then says by which map revision.
	AskView(ctx context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error)
	// ExportView delivers all members of a view, in pieces. It fails as
	// AskView does, and with the error of deliver.
	ExportView(ctx context.Context, req *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error
}

// DefaultTimeout is how long a request without a deadline may take.
const DefaultTimeout = 5 * time.Second

// Config is what a Router needs.
type Config struct {
	Topology Topology
	// Dial returns the node index of a cluster without waiting for it: a
	// connection that comes up later is fine. It is called when a cluster is
	// first asked, and again when its replicas' addresses have changed.
	// KindUnavailable where there is no index for the cluster yet.
	Dial func(cluster *catalog.Cluster) (Index, error)
	// Release, if set, gets each Index that the router no longer uses.
	Release func(index Index)
	// Timeout bounds a request whose context has no deadline; 0 for
	// DefaultTimeout.
	Timeout time.Duration
	// Down, if set, tells of a cluster's node that it does not answer: readers are
	// sent to an entry's other nodes, as with one that is declared down. It is asked
	// for every answer, and must not wait.
	Down func(cluster cairn.UID, node cairn.NodeID) bool
	// Choice is which of an entry's nodes to use where a request does not say; its Zone
	// is the router's own. The zero NodeChoice is the primary.
	Choice cairn.NodeChoice
	// Hold bounds the writes that wait while a shard changes its owner.
	Hold HoldLimits
	// KeptBytes bounds the answers to pinned questions about views that are kept; 0
	// for DefaultKeptBytes.
	KeptBytes int64
	// Cache is of the cache of locations; the zero CacheConfig is none.
	Cache CacheConfig
	// Fleet, if set, is the router of a fleet that the answers to a question belong
	// to, nil if that is this one or none. All routers of the fleet are to name the
	// same one. It is asked for every question about a view, and must not wait.
	Fleet func(question string) Member
	// Events are told what happens; the zero Events are not.
	Events Events
}
