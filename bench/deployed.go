package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"cairn/bench/floor"
	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/stack"
)

// unary compares Locate through router and index with a unary echo through a
// proxy.
func unary(ctx context.Context, s settings) error {
	about := fmt.Sprintf("single keys over gRPC, through router and index as processes, %d callers", s.callers)
	return beside(ctx, s, comparing{name: "Locate", about: about, floor: "two-hop unary echo", hops: 2, goal: report.Goal{Ratio: 0.8}},
		func(e *echoes) report.Measure { return e.unary(s) },
		func(ctx context.Context, conns []*grpc.ClientConn) (load.Result, error) {
			return load.Closed(ctx, unaryCalls(s, conns), s.warmup, s.length)
		})
}

// cacheBytes has room for all keys that callers ask for.
const cacheBytes = 256 << 20

// cached compares Locate that a router answers from its cache with a unary echo.
func cached(ctx context.Context, s settings) error {
	about := fmt.Sprintf("single keys over gRPC, from the cache of a router as a process, %d callers", s.callers)
	return beside(ctx, s, comparing{name: "CachedLocate", about: about, floor: "one-hop unary echo", hops: 1, cacheBytes: cacheBytes, goal: report.Goal{Ratio: 0.85}},
		func(e *echoes) report.Measure { return e.unary(s) },
		func(ctx context.Context, conns []*grpc.ClientConn) (load.Result, error) {
			if err := warm(ctx, unaryCalls(s, conns)); err != nil {
				return load.Result{}, err
			}
			return load.Closed(ctx, unaryCalls(s, conns), s.warmup, s.length)
		})
}

// warm has every caller ask for all of its keys.
func warm(ctx context.Context, calls []load.Call) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, call := range calls {
		group.Go(func() error {
			for range stack.KeysEach {
				if _, err := call(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func unaryCalls(s settings, conns []*grpc.ClientConn) (calls []load.Call) {
	for i, conn := range conns {
		calls = append(calls, stack.UnaryCalls(conn, share(s.callers, i, len(conns)), s.entries)...)
	}
	return calls
}

// stream compares StreamLocate through router and index with a stream echo of
// the same batches through a proxy.
func stream(ctx context.Context, s settings) error {
	about := fmt.Sprintf("%d streams of batches of %d, %d of them in flight on each", s.streams, s.batch, s.window)
	return beside(ctx, s, comparing{name: "StreamLocate", about: about, floor: "two-hop stream echo", hops: 2, goal: report.Goal{Ratio: 0.5}},
		func(e *echoes) report.Measure { return e.stream(s) },
		func(ctx context.Context, conns []*grpc.ClientConn) (load.Result, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var streams []load.Stream
			for i, conn := range conns {
				open, err := stack.Streams(ctx, conn, share(s.streams, i, len(conns)), s.batch, s.entries)
				if err != nil {
					return load.Result{}, err
				}
				streams = append(streams, open...)
			}
			return load.Pipelined(ctx, streams, s.window, s.warmup, s.length)
		})
}

// comparing is what is compared: a deployment, and a floor of so many echo servers.
type comparing struct {
	name, about, floor string
	hops               int
	cacheBytes         int64 // of the router
	goal               report.Goal
}

// beside runs a workload on a filled deployment and its floor on echo servers, in
// pairs.
func beside(ctx context.Context, s settings, c comparing,
	floorOf func(*echoes) report.Measure, ours func(context.Context, []*grpc.ClientConn) (load.Result, error),
) (err error) {
	e, err := startEchoes(ctx, c.hops, s.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	d, err := stack.DeployCached(ctx, c.cacheBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	if err := d.Fill(ctx, s.entries); err != nil {
		return err
	}
	var conns []*grpc.ClientConn
	for range s.connections {
		conn, err := floor.Dial(d.Router)
		if err != nil {
			return err
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	comparison, err := report.Compare(ctx, c.name, c.floor, s.pairs, floorOf(e),
		func(ctx context.Context) (load.Result, error) { return ours(ctx, conns) })
	comparison.About = c.about
	comparison.Write(s.out, c.goal)
	return err
}
