package report

import (
	"fmt"
	"io"
	"runtime"
	"time"

	"cairn/bench/load"
)

// Goal is a figure that a workload shall reach.
type Goal struct {
	// Ratio is the least ratio to the floor; 0: none is set.
	Ratio float64 `json:"ratio,omitzero"`
	// PerItem is the most time an item may take; 0: none is set.
	PerItem time.Duration `json:"per_item_ns,omitzero"`
	// Rate is the least number of items a second; 0: none is set.
	Rate float64 `json:"rate,omitzero"`
}

// Write writes a comparison and adds it to the record: the ratio and what was
// wanted, then both sides' medians, then each run for benchstat
// (`benchstat -col /side FILE`).
func (c Comparison) Write(r *Record, goal Goal) {
	ratios := c.Ratios()
	if len(ratios) == 0 {
		return
	}
	floor, ours := c.sides()
	finding := Finding{Name: c.Name, About: c.About, Beside: c.Floor, Goal: goal, Ours: runsOf(ours), Theirs: runsOf(floor)}
	r.Findings = append(r.Findings, finding)
	fmt.Fprintf(r, "\nratio %s / %s: %.2f (median of %d interleaved pairs, %.2f to %.2f)%s\n", c.Name, c.Floor,
		Median(ratios), len(ratios), ratios[0], ratios[len(ratios)-1], wanted(goal.Ratio > 0, Median(ratios) >= goal.Ratio, "%.2f or more", goal.Ratio))
	fmt.Fprintf(r, "ours   %s%s\n", summary(finding.Ours), goal.of(finding.Ours))
	fmt.Fprintf(r, "floor  %s\n", summary(finding.Theirs))
	for i := range c.Pairs {
		writeRun(r, c.Name+"/side=floor", &finding.Theirs[i])
		writeRun(r, c.Name+"/side=ours", &finding.Ours[i])
	}
}

func (c Comparison) sides() (floor, ours []load.Result) {
	for _, pair := range c.Pairs {
		floor, ours = append(floor, pair.Floor), append(ours, pair.Ours)
	}
	return floor, ours
}

// Single writes the runs of something that has no floor, or is one, and adds
// them to the record.
func Single(r *Record, name string, runs []load.Result, goal Goal) {
	if len(runs) == 0 {
		return
	}
	finding := Finding{Name: name, Goal: goal, Ours: runsOf(runs)}
	r.Findings = append(r.Findings, finding)
	fmt.Fprintf(r, "\n%s  %s%s\n", name, summary(finding.Ours), goal.of(finding.Ours))
	for i := range finding.Ours {
		writeRun(r, name, &finding.Ours[i])
	}
}

// Took notes how long calls took that were made one after the other. What is
// written of them is left to the caller.
func Took(r *Record, name, about string, calls load.Result) {
	if calls.Calls > 0 {
		r.Findings = append(r.Findings, Finding{Name: name, About: about, Ours: []Run{runOf(calls)}})
	}
}

// of says whether runs are as fast as was wanted.
func (g Goal) of(runs []Run) string {
	median := medianOf(runs, rateOf)
	perItem := time.Duration(float64(time.Second) / median)
	return wanted(g.PerItem > 0, perItem <= g.PerItem, "%v an item or less", g.PerItem) +
		wanted(g.Rate > 0, median >= g.Rate, "%.0f/s or more", g.Rate)
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

func summary(runs []Run) string {
	median := medianOf(runs, rateOf)
	text := fmt.Sprintf("%.0f items/s, %v an item", median, time.Duration(float64(time.Second)/median))
	if p50 := medianOf(runs, quantileAt(0)); p50 > 0 {
		text += fmt.Sprintf(", a call p50 %v p99 %v", duration(p50), duration(medianOf(runs, quantileAt(2))))
	}
	if used := medianOf(runs, processorOf); used > 0 {
		text += fmt.Sprintf(", %v of processors an item", duration(used))
	}
	return text
}

func writeRun(w io.Writer, name string, run *Run) {
	line := fmt.Sprintf("Benchmark%s-%d\t%d\t%.1f ns/op\t%.0f items/s", name, runtime.GOMAXPROCS(0), run.Items, 1e9/run.Rate, run.Rate)
	if len(run.Quantiles) > 0 {
		line += fmt.Sprintf("\t%d p50-ns\t%d p99-ns", run.Quantiles[0], run.Quantiles[2])
	}
	if run.Processor > 0 {
		line += fmt.Sprintf("\t%d processor-ns/op", run.Processor)
	}
	fmt.Fprintln(w, line)
}
