package stack

import (
	"context"
	"errors"
	"net"
	"strconv"

	"cairn/bench/spawn"
	"cairn/cmd/daemon"
	"cairn/router/server"
)

// SpawnRouted starts a Routed behind the public API, as a process of its own.
func SpawnRouted(ctx context.Context, shards int) (*spawn.Process, error) {
	return spawn.Start(ctx, partRouted, strconv.Itoa(shards))
}

func serveRouted(ctx context.Context, shards int) error {
	daemon.TuneGC(ctx)
	routed, err := Route(shards)
	if err != nil {
		return err
	}
	defer routed.Close()
	edge, err := server.New(server.Config{Router: routed.router})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", anyPort)
	if err != nil {
		return err
	}
	g := edge.GRPC()
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	err = spawn.Ready(listener.Addr().String())
	g.Stop()
	return errors.Join(err, <-served)
}
