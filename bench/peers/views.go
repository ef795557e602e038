package main

import (
	"context"
	"errors"
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
	peer, err := postgres.Open(ctx, s.viewCallers)
	if missing(s.out, err) {
		return nil
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	if err := peer.FillRecords(ctx, ours, s.entries); err != nil {
		return err
	}
	s.out.AddPeer(peer.Peer())
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
		comparison, err := report.Compare(ctx, "Views/"+w.Name, "PostgreSQL", s.pairs,
			s.processors(views.Measured(peer, &w, positions, s.viewCallers, s.warmup, s.length), peer.PIDs),
			s.processors(views.Measured(ours, &w, positions, s.viewCallers, s.warmup, s.length), ours.PIDs))
		comparison.About = w.Text
		comparison.Write(s.out, w.Goal)
		if err != nil {
			return err
		}
	}
	return nil
}
