package main

import (
	"context"
	"errors"

	"cairn/bench/report"
	"cairn/bench/views"
)

// viewPositions is how many positions of each view cursors are drawn from.
const viewPositions = 1_000

// Of a question's answer each of two clusters gives about a page's half and a reserve, or
// next to nothing.
const (
	pageShare  = 33 * 62
	smallShare = 32
)

// viewQuestions measures questions about views, asked of a router in this
// process over the indexes of two clusters, beside bare servers of which two are
// asked for as many bytes. What a peer makes of the same is measured beside it by
// bench/peers.
func viewQuestions(ctx context.Context, s settings) (err error) {
	c, err := views.Open(ctx, s.entries)
	if c != nil {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	if err != nil {
		return err
	}
	positions, err := c.Positions(ctx, viewPositions)
	if err != nil {
		return err
	}
	bare := &echoes{}
	defer func() { err = errors.Join(err, bare.stop()) }()
	for range 2 {
		if err := bare.start(ctx, "", s.connections); err != nil {
			return err
		}
	}
	for _, w := range views.Workloads() {
		bytes := smallShare
		if w.Asks == views.Page {
			bytes = pageShare
		}
		comparison, err := report.Compare(ctx, "Views/"+w.Name, "bare servers, two asked at once", s.pairs,
			bare.scattered(s, bytes), views.Measured(c, &w, positions, s.viewCallers, s.warmup, s.length))
		comparison.About = w.Text
		comparison.Write(s.out, report.Goal{})
		if err != nil {
			return err
		}
	}
	return nil
}
