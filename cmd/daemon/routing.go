package daemon

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc"

	"cairn"
	"cairn/cmd/secure"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router"
	"cairn/router/admin"
	"cairn/router/server"
	"cairn/shardmap/catalog"
)

// routing is a router over a store's maps, and its public edge.
type routing struct {
	router  *router.Router
	admin   *admin.Admin
	metrics *metrics
	log     *slog.Logger
	data    *dataMovers
	// draining ends with drain, which has clients asked to end their streams.
	draining context.Context
	drain    context.CancelFunc
	// stopFlipper ends the goroutine that has built views serve, stopMover the one
	// that carries moves out.
	stopFlipper, stopMover func()
	// admission bounds what callers may ask; nil: nothing does.
	admission *server.Admission
}

// routingConfig is what a routing may be told.
type routingConfig struct {
	// transport is how to talk to indexes and data movers.
	transport *secure.Transport
	// zone is where this process runs, if that is known.
	zone string
	// choose is which of an entry's nodes to use where a request does not say.
	choose cairn.NodeRule
	// others is the fleet, nil for none.
	others *fleetEdge
	moves  Moves
	cache  Cache
}

// openRouting makes a router that finds indexes in local and behind the
// addresses that clusters name, and sends nobody to nodes that are down.
func openRouting(store *mapStore, local *hosts, nodes *nodeHealth, config routingConfig, metrics *metrics, log *slog.Logger) (*routing, error) {
	dialer := newDialer(local, config.transport, config.zone, log)
	metrics.watchReplicas(dialer.asked)
	known := func(keyspace string) bool {
		_, exists := store.Map().Catalog().KeyspaceByName(keyspace)
		return exists
	}
	made, err := router.New(router.Config{
		Topology: store,
		Dial:     dialer.dial,
		Release:  dialer.release,
		Down:     nodes.Down,
		Fleet:    config.others.owner(),
		Choice:   cairn.NodeChoice{Rule: config.choose, Zone: config.zone},
		Cache:    router.CacheConfig(config.cache),
		Events:   logWrongAnswers(metrics.events(known), log),
	})
	if err != nil {
		return nil, err
	}
	metrics.watchCache(made.CacheStats, func() *catalog.Catalog { return store.Map().Catalog() })
	data := &dataMovers{transport: config.transport}
	administrator := admin.New(admin.Config{
		Store: store, Status: dialer.status, Identify: dialer.identify, Backup: dialer.backup, CheckFilter: checkFilter, Progress: made.ViewProgress,
		CountWhere: func(ctx context.Context, keyspace, where string) (uint64, error) {
			return made.CountWhere(ctx, keyspace, where, cairn.Freshness{})
		},
		Staged: dialer.staged, MoveTurn: config.moves.moveTurn, Verify: dialer.verify, Moving: dialer.moving,
		DataProgress: data.progress,
	})
	draining, drain := context.WithCancel(context.Background())
	return &routing{
		router: made, admin: administrator, metrics: metrics, log: log, data: data, draining: draining, drain: drain,
		stopFlipper: startFlipper(store, made.Status, log), stopMover: startMover(store, dialer, data, administrator, config.moves, metrics, log),
	}, nil
}

// services is for edge.serve.
func (r *routing) services() (*grpc.Server, error) {
	edge, err := server.New(server.Config{
		Router: r.router, Admin: r.admin, Log: r.log, Admission: r.admission, Draining: r.draining, Events: r.metrics.edgeEvents(),
	})
	if err != nil {
		return nil, err
	}
	g := newGRPCServer(append(edge.Options(), grpc.ChainUnaryInterceptor(r.logChanges))...)
	edge.Register(g)
	return g, nil
}

var adminMethods = "/" + cairnv1.Admin_ServiceDesc.ServiceName + "/"

// logChanges logs what operators change, who they are, and how it ended.
func (r *routing) logChanges(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	method, administers := strings.CutPrefix(info.FullMethod, adminMethods)
	if !administers || strings.HasPrefix(method, "Get") || strings.HasPrefix(method, "List") {
		return handle(ctx, request)
	}
	if apply, ok := request.(*cairnv1.ApplyRequest); ok && apply.GetValidateOnly() {
		return handle(ctx, request)
	}
	begin := time.Now()
	response, err := handle(ctx, request)
	level, outcome := slog.LevelInfo, "ok"
	if err != nil {
		level, outcome = slog.LevelWarn, err.Error()
	}
	var caller string
	if c := server.CallerFrom(ctx); c != nil {
		caller = c.Name()
	}
	r.log.Log(ctx, level, "operation", "method", method, "on", named(request), "caller", caller, "took", time.Since(begin), "outcome", outcome)
	return response, err
}

// loggedNames bounds what one line of the log repeats of a request's names, in
// bytes: they may be any that a caller sends.
const loggedNames = 1_000

// named is the resources that an operation names, as far as they fit.
func named(request any) string {
	var names []string
	switch r := request.(type) {
	case interface{ GetName() string }:
		names = append(names, r.GetName())
	case *cairnv1.CreateMoveRequest:
		names = append(names, r.GetShard(), r.GetTo())
	case *cairnv1.IsolateKeyRequest:
		names = append(names, r.GetParent())
	case *cairnv1.ApplyRequest:
		for _, each := range r.GetResources() {
			names = append(names, cmp.Or(each.GetKeyspace().GetName(), each.GetCluster().GetName(), each.GetView().GetName()))
		}
	}
	size := 0
	for i, name := range names {
		if size += len(name) + 1; size > loggedNames {
			return fmt.Sprintf("%s and %d more", strings.Join(names[:i], ","), len(names)-i)
		}
	}
	return strings.Join(names, ",")
}

func (r *routing) close() {
	r.drain()
	r.stopMover()
	r.stopFlipper()
	r.router.Close()
	r.data.close()
}
