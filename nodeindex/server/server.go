package server

import (
	"context"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

// Index is the node index that a Server answers for.
type Index interface {
	// Locate answers from the applied state. A request that needs no wait is
	// answered even if ctx has ended, so that the Server can try without
	// waiting; else it fails with KindNotYet or KindDeadline when ctx ends.
	Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error
	Write(ctx context.Context, req *cairn.WriteRequest) (*cairn.WriteReply, error)
	List(ctx context.Context, req *cairn.ListRequest) (*cairn.ListReply, error)
	Watch(ctx context.Context, req cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error
	Status(ctx context.Context, epoch uint64) (cairn.IndexStatus, error)
	Identify() cairn.Identity
	VerifyShard(ctx context.Context, keyspace cairn.UID, shard cairn.ShardID, revision uint64) (cairn.ShardCheck, error)
	// Backup delivers pieces that each fit into a message.
	Backup(ctx context.Context, cluster string, deliver func(data []byte) error) error
	ViewIndex
	SourceIndex
	TargetIndex
}

// ViewIndex is the views of an Index.
type ViewIndex interface {
	// AskView waits as Locate does. A reply beside an error says, if set, by
	// which state it was refused. The request is used again: nothing of it may
	// be kept.
	AskView(ctx context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error)
	// ExportView delivers pieces of any size.
	ExportView(ctx context.Context, req *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error
}

// Server answers the private API for one index.
type Server struct {
	indexv1.UnimplementedIndexServer
	index Index
	// draining ends when Drain is called.
	draining context.Context
	drain    context.CancelFunc
}

// The bounds on what one stream may have in work.
const (
	// locateWorkers is how many Locates that wait or are large.
	locateWorkers = 32
	// writeWorkers is how many Writes; they wait for the log together.
	writeWorkers = 1024
	// viewWorkers is how many AskViews that wait or take long.
	viewWorkers = 32
	// requestBytes is how many bytes of requests, all in all.
	requestBytes = 2 * indexv1.MaxMessageBytes
	// inlineKeys is how many keys a Locate may have to be answered where it
	// was read: about a millisecond's work.
	inlineKeys = 1024
	// inlineRows is the same for the rows of a page.
	inlineRows = 512
	// inlineTested is how many rows it may have whose entries are tested, and inlineWhere
	// how many bytes a condition, which is read first.
	inlineTested = 200
	inlineWhere  = 512
	// longestWait ends requests that name no timeout, or a longer one.
	longestWait = time.Minute
	// maxMicros is the longest timeout that there is.
	maxMicros = uint64(math.MaxInt64 / time.Microsecond)
)

// New makes a Server.
func New(index Index) *Server {
	s := &Server{index: index}
	s.draining, s.drain = context.WithCancel(context.Background())
	return s
}

// Options are what a grpc.Server needs to serve this API: message limits, and
// leave for clients to probe idle connections.
func Options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(indexv1.MaxMessageBytes),
		grpc.MaxSendMsgSize(indexv1.MaxMessageBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
}

// Register adds the service to a grpc.Server.
func (s *Server) Register(r grpc.ServiceRegistrar) { indexv1.RegisterIndexServer(r, s) }

// Drain asks every client to end its streams, and ends watches; requests that
// have been sent are still answered. A stop after it, with
// grpc.Server.GracefulStop, returns once clients have followed.
func (s *Server) Drain() { s.drain() }

// errStopping tells clients that nothing was done and another replica, or
// this one in a while, will answer.
func errStopping() *cairn.Error {
	return cairn.Errorf(cairn.KindUnavailable, "SHUTTING_DOWN", "this index server is stopping; ask again")
}

// within is ctx ended after a request's own timeout.
func within(ctx context.Context, timeoutMicros uint64) (context.Context, context.CancelFunc) {
	timeout := longestWait
	if timeoutMicros > 0 && timeoutMicros < uint64(longestWait/time.Microsecond) {
		timeout = time.Duration(timeoutMicros) * time.Microsecond
	}
	return context.WithTimeout(ctx, timeout)
}
