package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"

	moverv1 "cairn/proto/cairn/mover/v1"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7733", "the address to serve at; whoever reaches it can move data")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "redis-mover:", err)
		os.Exit(1)
	}
}

// run serves a Mover at an address until the process is told to end.
func run(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready", listener.Addr())
	return serve(ctx, listener)
}

// serve serves a Mover until ctx ends.
func serve(ctx context.Context, listener net.Listener) error {
	mover := NewMover()
	defer mover.Close()
	server := grpc.NewServer()
	moverv1.RegisterDataMoverServer(server, mover)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	return server.Serve(listener)
}
