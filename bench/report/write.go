package report

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"cairn/bench/load"
)

// Goal is a figure that a workload shall reach.
type Goal struct {
	// Ratio is the least ratio to the floor; 0: none is set.
	Ratio float64
	// PerItem is the most time an item may take; 0: none is set.
	PerItem time.Duration
	// Rate is the least number of items a second; 0: none is set.
	Rate float64
}

// Write writes a comparison: the ratio and what was wanted, then both sides'
// medians, then each run for benchstat (`benchstat -col /side FILE`).
func (c Comparison) Write(w io.Writer, goal Goal) {
	ratios := c.Ratios()
	if len(ratios) == 0 {
		return
	}
	fmt.Fprintf(w, "\nratio %s / %s: %.2f (median of %d interleaved pairs, %.2f to %.2f)%s\n", c.Name, c.Floor,
		Median(ratios), len(ratios), ratios[0], ratios[len(ratios)-1], wanted(goal.Ratio > 0, Median(ratios) >= goal.Ratio, "%.2f or more", goal.Ratio))
	floor, ours := c.sides()
	perItem := time.Duration(float64(time.Second) / medianRate(ours))
	fmt.Fprintf(w, "ours   %s%s%s\n", summary(ours),
		wanted(goal.PerItem > 0, perItem <= goal.PerItem, "%v an item or less", goal.PerItem),
		wanted(goal.Rate > 0, medianRate(ours) >= goal.Rate, "%.0f/s or more", goal.Rate))
	fmt.Fprintf(w, "floor  %s\n", summary(floor))
	for i := range c.Pairs {
		writeRun(w, c.Name+"/side=floor", floor[i])
		writeRun(w, c.Name+"/side=ours", ours[i])
	}
}

func (c Comparison) sides() (floor, ours []load.Result) {
	for _, pair := range c.Pairs {
		floor, ours = append(floor, pair.Floor), append(ours, pair.Ours)
	}
	return floor, ours
}

// Single writes the runs of something that has no floor, or is one.
func Single(w io.Writer, name string, runs []load.Result, goal Goal) {
	if len(runs) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s  %s%s\n", name, summary(runs), wanted(goal.Rate > 0, medianRate(runs) >= goal.Rate, "%.0f/s or more", goal.Rate))
	for _, run := range runs {
		writeRun(w, name, run)
	}
}

func wanted(isSet, reached bool, format string, figure any) string {
	switch {
	case !isSet:
		return ""
	case reached:
		return "; wanted " + fmt.Sprintf(format, figure) + ": reached"
	}
	return "; wanted " + fmt.Sprintf(format, figure) + ": MISSED"
}

func summary(runs []load.Result) string {
	rate := medianRate(runs)
	text := fmt.Sprintf("%.0f items/s, %v an item", rate, time.Duration(float64(time.Second)/rate))
	if runs[0].Quantile(1) == 0 {
		return text
	}
	return text + fmt.Sprintf(", a call p50 %v p99 %v", medianQuantile(runs, 0.5), medianQuantile(runs, 0.99))
}

func medianRate(runs []load.Result) float64 {
	rates := make([]float64, len(runs))
	for i, run := range runs {
		rates[i] = run.Rate()
	}
	slices.Sort(rates)
	return Median(rates)
}

func medianQuantile(runs []load.Result, q float64) time.Duration {
	quantiles := make([]time.Duration, len(runs))
	for i, run := range runs {
		quantiles[i] = run.Quantile(q)
	}
	slices.Sort(quantiles)
	return quantiles[len(quantiles)/2]
}

func writeRun(w io.Writer, name string, run load.Result) {
	line := fmt.Sprintf("Benchmark%s-%d\t%d\t%.1f ns/op\t%.0f items/s", name, runtime.GOMAXPROCS(0), run.Items,
		1e9/run.Rate(), run.Rate())
	if run.Quantile(1) > 0 {
		line += fmt.Sprintf("\t%d p50-ns\t%d p99-ns", run.Quantile(0.5).Nanoseconds(), run.Quantile(0.99).Nanoseconds())
	}
	fmt.Fprintln(w, strings.TrimSpace(line))
}
