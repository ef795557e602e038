package main

import (
	"context"
	"errors"
	"fmt"

	"cairn/bench/views"
)

// viewPositions is how many positions of each view cursors are drawn from.
const viewPositions = 1_000

// viewQuestions measures questions about views, asked of a router in this
// process over the indexes of two clusters. What a peer makes of the same is
// measured beside it by bench/peers.
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
	for _, w := range views.Workloads() {
		fmt.Fprintf(s.out, "\n# %s: %s\n", w.Name, w.Text)
		if err := single(ctx, s, "Views/"+w.Name, views.Measured(c, &w, positions, s.viewCallers, s.warmup, s.length)); err != nil {
			return err
		}
	}
	return nil
}
