package daemon

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"cairn"
	"cairn/router"
	"cairn/router/fleet"
)

// fleetEdge is a router's side of its fleet: the listener where others reach it, and
// the others. A nil one is of no fleet.
type fleetEdge struct {
	listener net.Listener
	server   *grpc.Server
	others   *fleet.Fleet
	members  atomic.Int64
	log      *slog.Logger

	leave   context.CancelFunc
	staying context.Context // until leave
	group   sync.WaitGroup
	closed  sync.Once
}

// openFleet opens the listener, and is nil where the router is to have none. Nobody is
// answered before join. Close it.
func openFleet(config RouterConfig, metrics *metrics) (*fleetEdge, error) {
	if config.Fleet == "" {
		return nil, nil
	}
	listener, err := config.listen("fleet", config.Fleet)
	if err != nil {
		return nil, err
	}
	if at := listener.Addr().(*net.TCPAddr); at.IP.IsUnspecified() {
		listener.Close()
		return nil, cairn.Invalid("fleet", "FLEET_UNSPECIFIED", "%s is no address where others reach this router; name the one that they do", config.Fleet)
	}
	f := &fleetEdge{
		listener: listener, server: newGRPCServer(fleet.ServerOptions()...),
		others: fleet.New(fleet.Options{Silence: config.FleetSilence, Log: config.Log, Dial: []grpc.DialOption{config.transport.DialOption()}}), log: config.Log,
	}
	f.staying, f.leave = context.WithCancel(context.Background())
	metrics.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cairn_fleet_routers",
		Help: "The routers that share questions about views, this one included, as far as it knows; 0 before it is one of them.",
	}, func() float64 { return float64(f.members.Load()) }))
	return f, nil
}

// owner is router.Config.Fleet.
func (f *fleetEdge) owner() func(question string) router.Member {
	if f == nil {
		return nil
	}
	return f.others.Owner
}

// join has a router answer others, and share its questions with them.
func (f *fleetEdge) join(store *mapStore, answers *router.Router) {
	if f == nil {
		return
	}
	fleet.NewServer(answers, f.log).Register(f.server)
	self := f.listener.Addr().String()
	f.group.Go(func() {
		if err := f.server.Serve(f.listener); err != nil {
			f.log.Warn("the listener for other routers ended", "address", self, "err", err)
		}
	})
	f.group.Go(func() {
		store.JoinFleet(f.staying, self, func(addresses []string) {
			f.others.Set(self, addresses)
			f.members.Store(int64(len(addresses)))
		})
	})
}

// close leaves the fleet and answers what is under way.
func (f *fleetEdge) close() {
	if f == nil {
		return
	}
	f.closed.Do(func() {
		f.leave()
		stopGRPC(f.server)
		f.listener.Close()
		f.group.Wait()
		f.others.Close()
	})
}
