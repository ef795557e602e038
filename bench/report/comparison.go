package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cairn/bench/load"
)

// Measure does one run.
type Measure func(ctx context.Context) (load.Result, error)

// Comparison is a workload beside its floor.
type Comparison struct {
	// Name is that of the workload, in the form of a Go benchmark's.
	Name string
	// About says in words what was done, where the name does not.
	About string
	// Floor says what ours is compared with.
	Floor string
	Pairs []Pair
}

// Pair is two runs, one right after the other.
type Pair struct{ Floor, Ours load.Result }

// Ratio is our rate by the floor's: 1 is as fast as the floor.
func (p Pair) Ratio() float64 { return p.Ours.Rate() / p.Floor.Rate() }

// Processors measures what a side takes of the processors too: used is the time
// that all its processes have used so far, the one that asks included. It says
// more than a rate where others use the machine: there each side gets a share
// by how many processes it has.
func Processors(measure Measure, used func() time.Duration, warmup, length time.Duration) Measure {
	return func(ctx context.Context) (load.Result, error) {
		before := used()
		result, err := measure(ctx)
		if err == nil && result.Items > 0 {
			// The items of the warm-up were not counted.
			items := float64(result.Items) * float64(warmup+length) / float64(length)
			result.Processor = time.Duration(float64(used()-before) / items)
		}
		return result, err
	}
}

// Compare runs pairs one after the other. It ends with the first run that
// fails.
func Compare(ctx context.Context, name, floorName string, pairs int, floor, ours Measure) (Comparison, error) {
	comparison := Comparison{Name: name, Floor: floorName}
	for range pairs {
		var pair Pair
		var err error
		if pair.Floor, err = floor(ctx); err != nil {
			return comparison, fmt.Errorf("%s: floor: %w", name, err)
		}
		if pair.Ours, err = ours(ctx); err != nil {
			return comparison, fmt.Errorf("%s: %w", name, err)
		}
		comparison.Pairs = append(comparison.Pairs, pair)
	}
	return comparison, nil
}

// Ratios are the pairs' ratios, ascending.
func (c Comparison) Ratios() []float64 {
	ratios := make([]float64, len(c.Pairs))
	for i, pair := range c.Pairs {
		ratios[i] = pair.Ratio()
	}
	slices.Sort(ratios)
	return ratios
}

// Typical is our run of the middle rate; of no pairs an empty one.
func (c Comparison) Typical() load.Result {
	_, ours := c.sides()
	if len(ours) == 0 {
		return load.Result{}
	}
	slices.SortFunc(ours, func(a, b load.Result) int { return cmp.Compare(a.Rate(), b.Rate()) })
	return ours[len(ours)/2]
}

// Median is the middle of ascending figures, 0 if there are none.
func Median(ascending []float64) float64 {
	n := len(ascending)
	if n == 0 {
		return 0
	}
	return (ascending[(n-1)/2] + ascending[n/2]) / 2
}
