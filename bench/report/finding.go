package report

import (
	"slices"
	"time"

	"cairn/bench/load"
)

// Finding is what was measured of one thing: our runs, and those of what it was
// measured beside, in pairs.
type Finding struct {
	// Name is in the form of a Go benchmark's, as in "Locate/batch=128".
	Name string `json:"name"`
	// About says in words what was done; empty if the name says it.
	About string `json:"about,omitempty"`
	// Beside is who the others are; empty if there are none.
	Beside string `json:"beside,omitempty"`
	Goal   Goal   `json:"goal,omitzero"`
	Ours   []Run  `json:"ours"`
	Theirs []Run  `json:"theirs,omitempty"`
}

// Run is one run, in units of an item and in nanoseconds.
type Run struct {
	Items int     `json:"items"`
	Rate  float64 `json:"rate"` // items a second
	// Quantiles of the latencies of calls, as many as Quantiles; none if they
	// were not measured.
	Quantiles []int64 `json:"quantiles_ns,omitempty"`
	// Processor is the time of all processors together for an item; 0 if it
	// was not measured.
	Processor int64 `json:"processor_ns,omitempty"`
}

// Quantiles are those that a Run tells; the last is the longest of all.
var Quantiles = []float64{0.5, 0.9, 0.99, 0.999, 0.9999, 1}

func runOf(result load.Result) Run {
	run := Run{Items: result.Items, Rate: result.Rate(), Processor: result.Processor.Nanoseconds()}
	if result.Quantile(1) > 0 {
		for _, q := range Quantiles {
			run.Quantiles = append(run.Quantiles, result.Quantile(q).Nanoseconds())
		}
	}
	return run
}

func runsOf(results []load.Result) []Run {
	runs := make([]Run, len(results))
	for i, result := range results {
		runs[i] = runOf(result)
	}
	return runs
}

// Ratios are our rates by theirs, pair by pair; none without a peer.
func (f *Finding) Ratios() []float64 {
	ratios := make([]float64, min(len(f.Ours), len(f.Theirs)))
	for i := range ratios {
		ratios[i] = f.Ours[i].Rate / f.Theirs[i].Rate
	}
	return ratios
}

// medianOf is the median of a figure of runs.
func medianOf(runs []Run, figure func(*Run) float64) float64 {
	figures := make([]float64, len(runs))
	for i := range runs {
		figures[i] = figure(&runs[i])
	}
	slices.Sort(figures)
	return Median(figures)
}

func rateOf(r *Run) float64      { return r.Rate }
func processorOf(r *Run) float64 { return float64(r.Processor) }

// quantileAt is the latency at Quantiles[i], 0 if it was not measured.
func quantileAt(i int) func(*Run) float64 {
	return func(r *Run) float64 {
		if i >= len(r.Quantiles) {
			return 0
		}
		return float64(r.Quantiles[i])
	}
}

// duration is a number of nanoseconds to three digits.
func duration(ns float64) time.Duration {
	d := time.Duration(ns)
	step := time.Duration(1)
	for d/step >= 1000 {
		step *= 10
	}
	return d.Round(step)
}
