package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"cairn"
	"cairn/proto/rpcerr"
)

// farewell is how long calls under way may take to finish when a server ends;
// streams that their clients keep open are cut after it.
const farewell = time.Second

// edge is a server's listeners and what answers on them. The admin listener
// answers from the opening on; calls that come before serve has put the
// services in place get UNAVAILABLE and what the server waits for. On the
// public listener that is so after refuse; without, connections wait.
type edge struct {
	common  Common
	metrics *metrics
	state   readiness

	public    *handover
	adminAt   net.Listener // nil: no admin listener
	admin     *http.Server
	adminCall atomic.Pointer[grpc.Server] // answers gRPC on the admin listener

	refusing     *grpc.Server
	refusingTurn *turn        // nil without refuse
	serving      *grpc.Server // nil until serve
	drain        func()       // may be nil
	health       *health.Server

	failed chan error // takes the error of a listener that ended by itself
	group  sync.WaitGroup
	closed sync.Once
}

// openEdge opens the listeners. share, if there is one, gets the public one, and
// returns what is left of it for gRPC. Close the edge.
func openEdge(common Common, metrics *metrics, share func(net.Listener) net.Listener) (*edge, error) {
	listener, err := common.listen("listen", common.Listen)
	if err != nil {
		return nil, err
	}
	var adminAt net.Listener
	if common.HTTP != "" {
		if adminAt, err = common.listen("http", common.HTTP); err != nil {
			listener.Close()
			return nil, err
		}
	}
	if share != nil {
		listener = share(listener)
	}
	metrics.watchTransport(common.transport)
	e := &edge{common: common, metrics: metrics, public: newHandover(listener), adminAt: adminAt, health: health.NewServer(), failed: make(chan error, 3)}
	e.health.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	e.refusing = newGRPCServer(grpc.UnknownServiceHandler(e.notReady))
	grpc_health_v1.RegisterHealthServer(e.refusing, e.health)
	if e.adminAt != nil {
		e.adminCall.Store(e.refusing)
		calls := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.adminCall.Load().ServeHTTP(w, r) })
		e.admin = newAdminServer(metrics.registry, &e.state, calls)
		e.start("admin", func() error { return e.admin.Serve(e.adminAt) })
	}
	return e, nil
}

func (e *edge) start(name string, serve func() error) {
	e.group.Go(func() {
		err := serve()
		if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) || errors.Is(err, net.ErrClosed) {
			return
		}
		e.failed <- fmt.Errorf("the %s listener ended: %w", name, err)
	})
}

// refuse has calls on the public listener answered with UNAVAILABLE until
// serve. It is for servers of unary calls: on a stream of many requests a
// client could not tell that none was carried out.
func (e *edge) refuse() {
	e.refusingTurn = e.public.next()
	e.start("public", func() error { return e.refusing.Serve(e.refusingTurn) })
}

// notReady answers a call of a server that does not serve yet.
func (e *edge) notReady(any, grpc.ServerStream) error {
	e.metrics.refused()
	return rpcerr.ToStatus(cairn.Errorf(cairn.KindUnavailable, "NOT_READY", "the server does not serve: it is %s", e.state.notReady())).Err()
}

// address is where the public listener listens.
func (e *edge) address() string { return e.public.address() }

// waitFor notes, in the log and in answers, what the server waits for.
func (e *edge) waitFor(what string) {
	e.state.set("waiting for " + what)
	e.common.Log.Info("waiting for " + what)
}

// serve puts the services in place, reports the server as ready, and prints
// the ready line. services makes a gRPC server with all of them, for each
// listener its own; drain, if there is one, asks clients to end their streams
// when the server is to end. etcd is the embedded etcd's URL, if there is one.
func (e *edge) serve(services func() (*grpc.Server, error), drain func(), etcd string) error {
	public, err := e.withHealth(services)
	if err != nil {
		return err
	}
	if e.adminAt != nil {
		call, err := e.withHealth(services)
		if err != nil {
			return err
		}
		reflection.Register(call)
		e.adminCall.Store(call)
	}
	e.serving, e.drain = public, drain
	if e.refusingTurn != nil {
		e.refusingTurn.end()
	}
	e.group.Go(func() { stopGRPC(e.refusing) }) // tells connected clients to come back
	next := e.public.next()
	e.start("public", func() error { return public.Serve(next) })
	e.health.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	for name := range public.GetServiceInfo() {
		e.health.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVING)
	}
	e.state.set("")
	e.announce(etcd)
	return nil
}

func (e *edge) withHealth(services func() (*grpc.Server, error)) (*grpc.Server, error) {
	server, err := services()
	if err == nil {
		grpc_health_v1.RegisterHealthServer(server, e.health)
	}
	return server, err
}

func (e *edge) announce(etcd string) {
	at := Addresses{Listen: e.address(), Etcd: etcd}
	line := "ready listen=" + at.Listen
	attributes := []any{slog.String("listen", at.Listen)}
	if e.adminAt != nil {
		at.HTTP = e.adminAt.Addr().String()
		line += " http=" + at.HTTP
		attributes = append(attributes, slog.String("http", at.HTTP))
	}
	if etcd != "" {
		line += " etcd=" + etcd
		attributes = append(attributes, slog.String("etcd", etcd))
	}
	e.common.Log.Info("ready", attributes...)
	fmt.Fprintln(e.common.Stdout, line)
	if e.common.Ready != nil {
		e.common.Ready(at)
	}
}

// wait returns nil when ctx ends, its cause if that is another than
// context.Canceled, or the error of a listener that ended before.
func (e *edge) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
			return cause
		}
		return nil
	case err := <-e.failed:
		return err
	}
}

// close tells health checkers, lets calls under way finish for a moment, and
// closes the listeners. After the first time it does nothing.
func (e *edge) close() { e.closed.Do(e.shutDown) }

func (e *edge) shutDown() {
	e.common.Log.Info("shutting down")
	e.state.set("shutting down")
	e.health.Shutdown()
	if e.drain != nil {
		e.drain()
	}
	var servers sync.WaitGroup
	for _, server := range []*grpc.Server{e.serving, e.refusing} {
		if server != nil {
			servers.Go(func() { stopGRPC(server) })
		}
	}
	servers.Wait()
	if e.admin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), farewell/2)
		if e.admin.Shutdown(ctx) != nil {
			e.admin.Close()
		}
		cancel()
		e.adminCall.Load().Stop()
	}
	if e.adminAt != nil {
		e.adminAt.Close()
	}
	e.public.close()
	e.group.Wait()
}

func stopGRPC(server *grpc.Server) {
	cut := time.AfterFunc(farewell, server.Stop)
	defer cut.Stop()
	server.GracefulStop()
}
