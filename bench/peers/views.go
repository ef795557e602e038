package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cairn/bench/peers/postgres"
	"cairn/bench/report"
	"cairn/bench/views"
)

// positionsEach is how many positions of each view cursors are drawn from,
// comparedEach how many questions of each workload are asked of both sides to
// see that they answer the same.
const (
	positionsEach = 1_000
	comparedEach  = 10
)

// viewsBeside measures questions about views beside PostgreSQL.
func viewsBeside(ctx context.Context, s settings) (err error) {
	ours, err := views.Open(ctx, s.entries, s.settle)
	if ours != nil {
		defer func() { err = errors.Join(err, ours.Close()) }()
	}
	if err != nil {
		return err
	}
	peer, err := postgres.Open(ctx, s.callers)
	if peer != nil {
		defer func() { err = errors.Join(err, peer.Close()) }()
	}
	if err != nil {
		return err
	}
	if err := peer.Fill(ctx, ours, s.entries); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "peer: %s\n", peer.Version)
	positions, err := ours.Positions(ctx, positionsEach)
	if err != nil {
		return err
	}
	if err := views.Compare(ctx, ours, peer, positions, comparedEach); err != nil {
		return err
	}
	for _, w := range views.Workloads() {
		if s.only != "" && !slices.Contains(strings.Split(s.only, ","), w.Name) {
			continue
		}
		fmt.Fprintf(s.out, "\n# %s: %s", w.Name, w.Text)
		floorTook := processor{processes: func() []int { return children(peer.PID()) }}
		oursTook := processor{processes: ours.PIDs}
		comparison, err := report.Compare(ctx, "Views/"+w.Name, "PostgreSQL", s.pairs,
			floorTook.around(views.Measured(peer, &w, positions, s.callers, s.warmup, s.length), s.warmup, s.length),
			oursTook.around(views.Measured(ours, &w, positions, s.callers, s.warmup, s.length), s.warmup, s.length))
		comparison.Write(s.out, w.Goal)
		writeProcessors(s.out, &floorTook, &oursTook)
		if err != nil {
			return err
		}
	}
	return nil
}
