package main

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"cairn"
	"cairn/cmd/daemon"
	"cairn/proto/rpcerr"
	"cairn/router/client"
)

// clientFlags give a verb that asks a router what it takes to reach one.
func clientFlags(cmd *cobra.Command, o *options) {
	addr := os.Getenv("CAIRN_ADDR")
	if addr == "" {
		addr = daemon.DefaultListen
	}
	cmd.Flags().StringVar(&o.addr, "addr", addr, "the router's `ADDRESS`, or else CAIRN_ADDR")
	tlsFlags(cmd, &o.tls)
	cmd.Flags().DurationVar(&o.timeout, "timeout", 10*time.Second, "how long a request may take")
}

// connect reaches the router that the flags name. Nothing is sent before the
// first request. Whoever connects closes.
func (o *options) connect() (*client.Client, error) {
	if o.timeout <= 0 {
		return nil, cairn.Invalid("--timeout", "TIMEOUT", "%s; it must be more than 0, as in 10s", o.timeout)
	}
	transport, err := openTLS(o.tls)
	if err != nil {
		return nil, err
	}
	return client.Dial(o.addr, client.Options{Dial: []grpc.DialOption{transport.DialOption(), grpc.WithChainUnaryInterceptor(o.explainErrors)}})
}

// explainErrors turns the statuses of calls to the Admin service, which is
// used as generated, into errors of ours.
func (o *options) explainErrors(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, callOptions ...grpc.CallOption) error {
	if err := invoke(ctx, method, request, reply, conn, callOptions...); err != nil {
		return rpcerr.From(o.addr, err)
	}
	return nil
}

// within is a context for one request.
func (o *options) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, o.timeout)
}

// asking runs ask with a client and a context for one request.
func (o *options) asking(cmd *cobra.Command, ask func(ctx context.Context, c *client.Client) error) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := o.within(cmd.Context())
	defer cancel()
	return ask(ctx, c)
}

// freshness are the flags that say how fresh an answer must be.
type freshness struct {
	atLeast      string
	linearizable bool
}

func (f *freshness) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.atLeast, "at-least", "", "no older than the answer that this `TOKEN` came with")
	cmd.Flags().BoolVar(&f.linearizable, "linearizable", false, "cover every write that was acknowledged before")
	cmd.MarkFlagsMutuallyExclusive("at-least", "linearizable")
}

func (f *freshness) read() (cairn.Freshness, error) {
	switch {
	case f.linearizable:
		return cairn.Freshness{Level: cairn.Linearizable}, nil
	case f.atLeast != "":
		token, err := cairn.ParseToken(f.atLeast)
		return cairn.Freshness{Level: cairn.AtLeast, Token: token}, flagError("at-least", err)
	}
	return cairn.Freshness{}, nil
}
