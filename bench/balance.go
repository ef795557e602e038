package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"cairn/bench/plot"
	"cairn/shardmap/plan"
	"cairn/shardmap/plan/simulate"
)

// What the worlds of the balance workload have for each cluster.
const (
	keysPerCluster   = 1000
	shardsPerCluster = 16
)

// balanceSeed is that of every world, so that all placers live in the same.
const balanceSeed = 1

// balance has plans and consistent hashing live through the same worlds and
// compares how even they keep the clusters and how much they move.
func balance(ctx context.Context, s settings) error {
	figure := plot.Figure{Title: fmt.Sprintf("Plans beside consistent hashing, %d clusters", s.clusters), Columns: 2}
	for _, scenario := range simulate.Scenarios() {
		even := plot.Chart{Title: scenario.Name + ": imbalance", X: "round", Y: "fullest / mean", From: 1}
		moved := plot.Chart{Title: scenario.Name + ": moved so far", X: "round", Y: "% of all keys"}
		fmt.Fprintf(s.out, "\n# %s: %s\n", scenario.Name, scenario.Text)
		table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(table, "placer\timbalance: median\tworst\tlast\teven from round\teven rounds\tmoved in all\tin a round at most\ta round takes at most\t")
		for i, placer := range s.placers() {
			if err := ctx.Err(); err != nil {
				return err
			}
			rounds, slowest, err := live(scenario, placer, s)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", scenario.Name, placer.Name(), err)
			}
			writeSummary(table, placer, simulate.Summarize(rounds), len(rounds), slowest)
			if i == 0 {
				even.Lines = append(even.Lines, line("least that can be", true, rounds, func(r simulate.Round) float64 { return r.Least }))
			}
			even.Lines = append(even.Lines, line(placer.Name(), false, rounds, func(r simulate.Round) float64 { return r.Imbalance }))
			var sum float64
			moved.Lines = append(moved.Lines, line(placer.Name(), false, rounds, func(r simulate.Round) float64 {
				sum += r.Moved
				return 100 * sum
			}))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		figure.Charts = append(figure.Charts, even, moved)
	}
	if s.svg == "" {
		return nil
	}
	return writeFigure(figure, s.svg)
}

// placers are who is compared, ours first.
func (s settings) placers() []simulate.Placer {
	return []simulate.Placer{
		&simulate.Planned{Shards: min(s.clusters*shardsPerCluster, 65_536), Settings: plan.Settings{Measure: plan.ByLoad()}},
		&simulate.Ring{},
		&simulate.Ring{Bound: 1.25},
	}
}

// timed notes how long the slowest round of a placer takes.
type timed struct {
	simulate.Placer
	slowest time.Duration
}

func (t *timed) Place(w *simulate.World) ([]int32, error) {
	started := time.Now()
	defer func() { t.slowest = max(t.slowest, time.Since(started)) }()
	return t.Placer.Place(w)
}

func live(scenario simulate.Scenario, placer simulate.Placer, s settings) ([]simulate.Round, time.Duration, error) {
	watched := &timed{Placer: placer}
	rounds, err := simulate.Run(simulate.NewWorld(balanceSeed, s.clusters, s.clusters*keysPerCluster), scenario, s.rounds, watched)
	return rounds, watched.slowest, err
}

func writeSummary(table *tabwriter.Writer, placer simulate.Placer, s simulate.Summary, rounds int, slowest time.Duration) {
	converged := "never"
	if s.Converged >= 0 {
		converged = strconv.Itoa(s.Converged)
	}
	fmt.Fprintf(table, "%s\t%.3f\t%.3f\t%.3f\t%s\t%d of %d\t%.1f%%\t%.1f%%\t%v\t\n", placer.Name(), s.Median, s.Worst, s.Last,
		converged, s.Even, rounds, 100*s.Moved, 100*s.MostMoved, slowest.Round(time.Millisecond))
}

func line(name string, dashed bool, rounds []simulate.Round, value func(simulate.Round) float64) plot.Line {
	l := plot.Line{Name: name, Dashed: dashed, Values: make([]float64, len(rounds))}
	for i, r := range rounds {
		l.Values[i] = value(r)
	}
	return l
}

func writeFigure(figure plot.Figure, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(figure.Write(file), file.Close())
}
