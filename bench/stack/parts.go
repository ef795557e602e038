package stack

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"cairn/bench/spawn"
	"cairn/cmd/daemon"
)

// The parts that a process of a deployment may play.
const (
	partEtcd   = "etcd"
	partIndex  = "index"
	partRouter = "router"
	partRouted = "routed"
)

// Play plays a part in this process until the one that spawned it ends it.
// played is false if there is no part of that name.
func Play(ctx context.Context, name string, args []string) (played bool, err error) {
	switch {
	case name == partEtcd && len(args) == 1:
		// The development stack without clusters of its own: its etcd is what
		// the others use.
		return true, serve(ctx, func(ctx context.Context, common daemon.Common) error {
			common.Listen = anyPort
			return daemon.RunDev(ctx, daemon.DevConfig{Common: common, Data: args[0]})
		})
	case name == partIndex && (len(args) == 5 || len(args) == 6):
		// Several processes with all processors each keep waking each other's
		// threads: an index among others is told its share.
		processors, err := strconv.Atoi(args[4])
		if err != nil {
			return true, err
		}
		runtime.GOMAXPROCS(processors)
		return true, serve(ctx, func(ctx context.Context, common daemon.Common) error {
			common.Listen = args[1]
			return daemon.RunIndex(ctx, daemon.IndexConfig{
				Common: common, Cluster: args[0], Data: args[2], Etcd: args[3:4], Join: len(args) == 6 && args[5] == "join",
			})
		})
	case name == partRouter && (len(args) == 2 || len(args) == 3):
		var cacheBytes int64
		if len(args) == 3 {
			var err error
			if cacheBytes, err = strconv.ParseInt(args[2], 10, 64); err != nil {
				return true, err
			}
		}
		return true, serve(ctx, func(ctx context.Context, common daemon.Common) error {
			common.Listen = anyPort
			return daemon.RunRouter(ctx, daemon.RouterConfig{
				Common: common, Data: args[0], Etcd: args[1:2], Cache: daemon.Cache{Bytes: cacheBytes},
			})
		})
	case name == partRouted && len(args) == 1:
		shards, err := strconv.Atoi(args[0])
		if err != nil {
			return true, err
		}
		return true, serveRouted(ctx, shards)
	}
	return false, nil
}

const anyPort = "127.0.0.1:0"

// serve runs a server as a part: it announces the addresses once the server is
// ready, and ends the server when it is told to.
func serve(ctx context.Context, run func(context.Context, daemon.Common) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	err := run(ctx, daemon.Common{Ready: func(at daemon.Addresses) {
		go func() {
			defer cancel()
			ended <- spawn.Ready(at.Listen + " " + at.Etcd)
		}()
	}})
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	select {
	case err = <-ended:
	default:
		err = errors.New("the server ended by itself")
	}
	return err
}
