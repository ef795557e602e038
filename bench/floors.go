package main

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"cairn/bench/floor"
	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/spawn"
	"cairn/bench/stack"
)

// echoes are running echo servers and a client's connections to the first.
type echoes struct {
	conns     []*grpc.ClientConn
	processes []*spawn.Process
}

// startEchoes starts a chain of echo servers with so many hops from the client
// to the last one.
func startEchoes(ctx context.Context, hops, connections int) (*echoes, error) {
	e := &echoes{}
	next := ""
	for hop := range hops - 1 {
		if err := e.start(ctx, next, 0); err != nil {
			return nil, errors.Join(err, e.stop())
		}
		next = e.processes[hop].Address
	}
	if err := e.start(ctx, next, connections); err != nil {
		return nil, errors.Join(err, e.stop())
	}
	return e, nil
}

// start starts a server before another one, or the last one if next is empty, with so
// many connections to it.
func (e *echoes) start(ctx context.Context, next string, connections int) error {
	var args []string
	if next != "" {
		args = append(args, next)
	}
	process, err := spawn.Start(ctx, "echo", args...)
	if err != nil {
		return err
	}
	e.processes = append(e.processes, process)
	for range connections {
		conn, err := floor.Dial(process.Address)
		if err != nil {
			return err
		}
		e.conns = append(e.conns, conn)
	}
	return nil
}

// stop ends the servers, those in front first.
func (e *echoes) stop() error {
	var errs []error
	for _, conn := range e.conns {
		errs = append(errs, conn.Close())
	}
	for i := len(e.processes) - 1; i >= 0; i-- {
		errs = append(errs, e.processes[i].Stop())
	}
	return errors.Join(errs...)
}

func (e *echoes) unary(s settings) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		var calls []load.Call
		for i, conn := range e.conns {
			calls = append(calls, floor.UnaryCalls(conn, share(s.callers, i, len(e.conns)), stack.Name, s.entries)...)
		}
		return load.Closed(ctx, calls, s.warmup, s.length)
	}
}

func (e *echoes) stream(s settings) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var streams []load.Stream
		for i, conn := range e.conns {
			open, err := floor.Streams(ctx, conn, share(s.streams, i, len(e.conns)), s.batch, stack.Name, s.entries)
			if err != nil {
				return load.Result{}, err
			}
			streams = append(streams, open...)
		}
		return load.Pipelined(ctx, streams, s.window, s.warmup, s.length)
	}
}

// scattered asks all of the servers at once.
func (e *echoes) scattered(s settings, bytes int) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		return load.Closed(ctx, floor.Scattered(e.conns, s.viewCallers, bytes), s.warmup, s.length)
	}
}

// share is part i's share when whole is divided among parts.
func share(whole, i, parts int) int { return whole*(i+1)/parts - whole*i/parts }

// floors measures what everything else is compared with.
func floors(ctx context.Context, s settings) error {
	for _, chain := range []struct {
		name string
		hops int
	}{{"one-hop", 1}, {"two-hop", 2}} {
		e, err := startEchoes(ctx, chain.hops, s.connections)
		if err != nil {
			return err
		}
		err = errors.Join(
			single(ctx, s, "Floor/echo=unary/"+chain.name, e.unary(s)),
			single(ctx, s, "Floor/echo=stream/"+chain.name, e.stream(s)))
		if err := errors.Join(err, e.stop()); err != nil {
			return err
		}
	}
	b, err := floor.OpenBolt(s.entries)
	if err != nil {
		return err
	}
	if err := errors.Join(single(ctx, s, "Floor/bbolt-get", boltRead(b, s)), b.Close()); err != nil {
		return err
	}
	for _, each := range []struct {
		name string
		call load.Call
	}{
		{"Floor/go-map", floor.MapReads(s.entries, 1)},
		{"Floor/roaring-and", floor.Intersections(s.entries, 1)},
	} {
		if err := single(ctx, s, each.name, func(ctx context.Context) (load.Result, error) {
			return load.Closed(ctx, []load.Call{each.call}, s.warmup, s.length)
		}); err != nil {
			return err
		}
	}
	return nil
}

// single measures something by itself.
func single(ctx context.Context, s settings, name string, measure report.Measure) error {
	var runs []load.Result
	for range s.pairs {
		run, err := measure(ctx)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	report.Single(s.out, name, runs, report.Goal{})
	return nil
}

// boltRead is bbolt's random read by one caller.
func boltRead(b *floor.Bolt, s settings) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		read, done, err := b.Read(1)
		if err != nil {
			return load.Result{}, err
		}
		result, err := load.Closed(ctx, []load.Call{read}, s.warmup, s.length)
		return result, errors.Join(err, done())
	}
}
