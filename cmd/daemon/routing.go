package daemon

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router"
	"cairn/router/admin"
	"cairn/router/server"
)

// routing is a router over a store's maps, and its public edge.
type routing struct {
	router *router.Router
	admin  *admin.Admin
	log    *slog.Logger
}

// openRouting makes a router that finds indexes in local and behind the
// addresses that clusters name.
func openRouting(store *mapStore, local *hosts, metrics *metrics, log *slog.Logger) (*routing, error) {
	dialer := newDialer(local, log)
	known := func(keyspace string) bool {
		_, exists := store.Map().Catalog().KeyspaceByName(keyspace)
		return exists
	}
	made, err := router.New(router.Config{
		Topology: store,
		Dial:     dialer.dial,
		Release:  dialer.release,
		Events:   metrics.events(known),
	})
	if err != nil {
		return nil, err
	}
	return &routing{made, admin.New(store, dialer.status), log}, nil
}

// services is for edge.serve.
func (r *routing) services() (*grpc.Server, error) {
	edge, err := server.New(server.Config{Router: r.router, Admin: r.admin, Log: r.log})
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

// named is the resources that an operation names.
func named(request any) string {
	switch r := request.(type) {
	case interface{ GetName() string }:
		return r.GetName()
	case *cairnv1.ApplyRequest:
		var names []string
		for _, each := range r.GetResources() {
			names = append(names, cmp.Or(each.GetKeyspace().GetName(), each.GetCluster().GetName()))
		}
		return strings.Join(names, ",")
	}
	return ""
}

func (r *routing) close() { r.router.Close() }
