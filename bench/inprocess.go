package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cairn/bench/floor"
	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/stack"
)

// locateInProcess compares one caller's Router.Locate, router and index in this
// process, with bbolt's own random read.
func locateInProcess(ctx context.Context, s settings) (err error) {
	b, err := floor.OpenBolt(s.entries)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	e, err := stack.Embed(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := e.Fill(ctx, s.entries); err != nil {
		return err
	}
	locate := e.Locate(1, s.entries)
	comparison, err := report.Compare(ctx, "LocateInProcess", "bbolt-get", s.pairs, boltRead(b, s),
		func(ctx context.Context) (load.Result, error) {
			return load.Closed(ctx, []load.Call{locate}, s.warmup, s.length)
		})
	comparison.About = fmt.Sprintf("one caller, %d entries", s.entries)
	comparison.Write(s.out, report.Goal{PerItem: 3 * time.Microsecond})
	return err
}
