package views

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
)

// Side is a system that answers questions.
type Side interface {
	// Ask asks a question the way a service would.
	Ask(ctx context.Context, q *Question) (Answer, error)
}

// Answer is what came, in the form in which the system's client gives it.
type Answer interface {
	// Text is the answer in words that are the same for every Side.
	Text() string
}

// Measured asks questions of a workload from so many callers at once.
func Measured(side Side, w *Workload, positions Positions, callers int, warmup, length time.Duration) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		calls := make([]load.Call, callers)
		for i := range calls {
			random := rand.New(rand.NewPCG(uint64(i), rand.Uint64()))
			calls[i] = func(ctx context.Context) (int, error) {
				q := w.Draw(random, positions)
				_, err := side.Ask(ctx, &q)
				return 1, err
			}
		}
		return load.Closed(ctx, calls, warmup, length)
	}
}

// Compare asks two sides the same questions of some workloads, and fails if their answers
// differ.
func Compare(ctx context.Context, a, b Side, workloads []Workload, positions Positions, questions int) error {
	random := rand.New(rand.NewPCG(1, 1))
	for i := range workloads {
		for range questions {
			q := workloads[i].Draw(random, positions)
			ofA, err := a.Ask(ctx, &q)
			if err != nil {
				return fmt.Errorf("%s: %w", q.Name, err)
			}
			ofB, err := b.Ask(ctx, &q)
			if err != nil {
				return fmt.Errorf("%s: %w", q.Name, err)
			}
			if textA, textB := ofA.Text(), ofB.Text(); textA != textB {
				return fmt.Errorf("%s (%s, where %q): two answers:\n%s\n%s", q.Name, Views[q.View].Name, q.where(), textA, textB)
			}
		}
	}
	return nil
}
