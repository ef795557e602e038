package main

import (
	"context"
	"errors"

	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/stack"
	"cairn/router/client"
)

// plainLocates compares plain Locate calls of many goroutines, which travel
// together, with unary echoes of as many hops: through the Go client, a router
// and an index, and through a router in this process and an index.
func plainLocates(ctx context.Context, s settings) (err error) {
	d, err := stack.Deploy(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	if err := d.Fill(ctx, s.entries); err != nil {
		return err
	}
	c, err := client.Dial(d.Router, client.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	near, err := d.Near(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, near.Close()) }()
	for _, way := range []struct {
		name, floor string
		hops        int
		locator     stack.Locator
	}{
		{"PlainLocate/router=process", "two-hop unary echo", 2, c},
		{"PlainLocate/router=library", "one-hop unary echo", 1, near.Router},
	} {
		if err := besideEchoes(ctx, s, way.name, way.floor, way.hops, way.locator); err != nil {
			return err
		}
	}
	return nil
}

func besideEchoes(ctx context.Context, s settings, name, floorName string, hops int, locator stack.Locator) (err error) {
	e, err := startEchoes(ctx, hops, s.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	calls := stack.PlainCalls(locator, s.callers, s.entries)
	comparison, err := report.Compare(ctx, name, floorName, s.pairs, e.unary(s),
		func(ctx context.Context) (load.Result, error) { return load.Closed(ctx, calls, s.warmup, s.length) })
	comparison.Write(s.out, report.Goal{Ratio: 3})
	return err
}
