package main

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"cairn/bench/floor"
	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/spawn"
	"cairn/bench/stack"
)

// What the least of what grows has.
const leastEntries, leastShards = 10_000, 10

// growth measures what a locate costs as entries and shards become more, tenfold
// each time, beside the least: over gRPC through router and index for entries,
// and for shards through a router whose index answers at once.
func growth(ctx context.Context, s settings) error {
	return errors.Join(entriesGrow(ctx, s), shardsGrow(ctx, s))
}

// filled is a deployment of some size and a connection to its router.
type filled struct {
	*stack.Deployment
	conn    *grpc.ClientConn
	entries int
}

func fillTo(ctx context.Context, entries int) (*filled, error) {
	d, err := stack.Deploy(ctx)
	if err != nil {
		return nil, err
	}
	f := &filled{Deployment: d, entries: entries}
	if err := d.Fill(ctx, entries); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if f.conn, err = floor.Dial(d.Router); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *filled) close() error {
	var err error
	if f.conn != nil {
		err = f.conn.Close()
	}
	return errors.Join(err, f.Stop())
}

// locates measures single locates of random keys.
func (f *filled) locates(s settings) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		return load.Closed(ctx, stack.UnaryCalls(f.conn, s.callers, f.entries), s.warmup, s.length)
	}
}

// point notes how much of everything there is at this size.
func (f *filled) point(s settings, result load.Result) error {
	memory, disk, err := f.IndexUsage()
	if err != nil {
		return err
	}
	s.out.AddPoint(report.Entries, "Cairn, router and index as processes", float64(f.entries), result, memory, disk)
	return nil
}

func entriesGrow(ctx context.Context, s settings) (err error) {
	least, err := fillTo(ctx, min(leastEntries, max(s.mostEntries/10, 1)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, least.close()) }()
	alone, err := least.locates(s)(ctx)
	if err != nil {
		return err
	}
	if err := least.point(s, alone); err != nil {
		return err
	}
	for entries := 10 * least.entries; entries <= s.mostEntries; entries *= 10 {
		if err := entriesBeside(ctx, s, least, entries); err != nil {
			return err
		}
	}
	return nil
}

func entriesBeside(ctx context.Context, s settings, least *filled, entries int) (err error) {
	more, err := fillTo(ctx, entries)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, more.close()) }()
	comparison, err := report.Compare(ctx, fmt.Sprintf("Growth/entries=%d", entries), fmt.Sprintf("%d entries", least.entries), s.pairs,
		least.locates(s), more.locates(s))
	if err != nil {
		return err
	}
	comparison.About = fmt.Sprintf("single locates by %d callers", s.callers)
	goal := report.Goal{}
	if entries >= 10_000_000 {
		goal.Ratio = 1 / 1.3
	}
	comparison.Write(s.out, goal)
	return more.point(s, comparison.Typical())
}

// routed is a router over a map of some shards: in this process, and a
// connection to one that is a process of its own.
type routed struct {
	*stack.Routed
	process *spawn.Process
	conn    *grpc.ClientConn
	shards  int
}

func routeOver(ctx context.Context, shards int) (*routed, error) {
	own, err := stack.Route(shards)
	if err != nil {
		return nil, err
	}
	r := &routed{Routed: own, shards: shards}
	if r.process, err = stack.SpawnRouted(ctx, shards); err == nil {
		r.conn, err = floor.Dial(r.process.Address)
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *routed) close() error {
	r.Close()
	var errs []error
	if r.conn != nil {
		errs = append(errs, r.conn.Close())
	}
	if r.process != nil {
		errs = append(errs, r.process.Stop())
	}
	return errors.Join(errs...)
}

// inProcess measures one caller of the router of this process.
func (r *routed) inProcess(s settings) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		return load.Closed(ctx, []load.Call{r.Locate(1)}, s.warmup, s.length)
	}
}

// remote measures callers of the other.
func (r *routed) remote(s settings) report.Measure {
	const anywhere = 1_000_000_000 // the keys need not exist
	return func(ctx context.Context) (load.Result, error) {
		return load.Closed(ctx, stack.UnaryCalls(r.conn, s.callers, anywhere), s.warmup, s.length)
	}
}

// point notes what was measured at this size.
func (r *routed) point(s settings, inProcess, remote load.Result) {
	s.out.AddPoint(report.Shards, "Cairn, router over gRPC", float64(r.shards), remote, 0, 0)
	s.out.AddPoint(report.Shards, "Cairn, router in process", float64(r.shards), inProcess, r.MapBytes, 0)
}

func shardsGrow(ctx context.Context, s settings) (err error) {
	least, err := routeOver(ctx, leastShards)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, least.close()) }()
	inProcess, err := least.inProcess(s)(ctx)
	if err != nil {
		return err
	}
	remote, err := least.remote(s)(ctx)
	if err != nil {
		return err
	}
	least.point(s, inProcess, remote)
	for shards := 10 * leastShards; shards <= s.mostShards; shards *= 10 {
		if err := shardsBeside(ctx, s, least, shards); err != nil {
			return err
		}
	}
	return nil
}

func shardsBeside(ctx context.Context, s settings, least *routed, shards int) (err error) {
	more, err := routeOver(ctx, shards)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, more.close()) }()
	beside := fmt.Sprintf("%d shards", leastShards)
	remote, err := report.Compare(ctx, fmt.Sprintf("Growth/shards=%d/router=process", shards), beside, s.pairs, least.remote(s), more.remote(s))
	if err != nil {
		return err
	}
	remote.About = fmt.Sprintf("single locates over gRPC by %d callers, map and router alone", s.callers)
	goal := report.Goal{}
	if shards >= 1_000_000 {
		goal.Ratio = 1 / 1.2
	}
	remote.Write(s.out, goal)
	inProcess, err := report.Compare(ctx, fmt.Sprintf("Growth/shards=%d/router=inprocess", shards), beside, s.pairs, least.inProcess(s), more.inProcess(s))
	if err != nil {
		return err
	}
	inProcess.About = "one caller in the router's process, map and router alone"
	inProcess.Write(s.out, report.Goal{})
	more.point(s, inProcess.Typical(), remote.Typical())
	return nil
}
