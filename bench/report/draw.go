package report

import (
	"bufio"
	"cmp"
	"io"
	"math"
	"os"
	"path/filepath"

	"cairn/bench/plot"
)

// drawing is a drawing of a record and the file that it goes to.
type drawing struct {
	file, title, about string
	draw               func(w io.Writer) error
}

// The units of what is drawn.
const (
	perMillisecond = 1e6 // nanoseconds
	perMicrosecond = 1e3
	perMiB         = 1 << 20
)

func latency(quantile int) func(*Point) float64 {
	at := quantileAt(quantile)
	return func(p *Point) float64 { return at(&p.Run) / perMillisecond }
}

func reached(p *Point) float64 { return p.Run.Rate }
func at(p *Point) float64      { return p.At }

// drawings are all ratios, if there are any, and the figures of the curves that
// there are.
func (r *Record) drawings() []drawing {
	var out []drawing
	if dots := r.dots(); len(dots.Groups) > 0 {
		out = append(out, drawing{"ratios.svg", dots.Title, "The lines are the intervals, the strokes what is wanted; what misses it is red.", dots.Write})
	}
	add := func(figure, about, title string, charts ...plot.Chart) {
		for _, c := range charts {
			if len(c.Lines) > 0 {
				out = append(out, drawing{figure + ".svg", title, about, plot.Figure{Title: title, Columns: 2, Charts: charts}.Write})
				return
			}
		}
	}
	add(Callers, "Each caller waits for an answer before it asks again. Everything, callers included, shares the processors.",
		"Locates of single keys by more and more callers",
		plot.Chart{Title: "throughput", X: "callers", Y: "locates/s", LogX: true, LogY: true, Lines: r.lines(Callers, at, reached)},
		plot.Chart{Title: "99th percentile", X: "callers", Y: "ms", LogX: true, LogY: true, Lines: r.lines(Callers, at, latency(2))})
	add(Rate, "Calls are due at random times whatever became of those before, and a latency begins when its call is due.",
		"Latency of single locates at more and more load",
		plot.Chart{Title: "median", X: "locates/s that are due", Y: "ms", LogX: true, LogY: true, Lines: r.lines(Rate, at, latency(0))},
		plot.Chart{Title: "99th percentile", X: "locates/s that are due", Y: "ms", LogX: true, LogY: true, Lines: r.lines(Rate, at, latency(2))},
		plot.Chart{Title: "the tail at the middle load of each", X: "one call in", Y: "ms", LogX: true, LogY: true, Lines: r.tails()})
	add(Entries, "The index is filled to each size anew; 64 callers locate single keys drawn uniformly.",
		"Cost as the entries grow",
		plot.Chart{Title: "time a locate", X: "entries", Y: "µs", LogX: true, Lines: r.lines(Entries, at, perItem)},
		plot.Chart{Title: "99th percentile", X: "entries", Y: "ms", LogX: true, Lines: r.lines(Entries, at, latency(2))},
		plot.Chart{Title: "memory of the index", X: "entries", Y: "MiB resident", LogX: true, LogY: true,
			Lines: r.lines(Entries, at, func(p *Point) float64 { return float64(p.Memory) / perMiB })},
		plot.Chart{Title: "disk of the index", X: "entries", Y: "MiB", LogX: true, LogY: true,
			Lines: r.lines(Entries, at, func(p *Point) float64 { return float64(p.Disk) / perMiB })})
	add(Shards, "Map and router alone: the index answers at once. One caller asks the router in its process, 64 the one over gRPC.",
		"Cost as the shards grow",
		plot.Chart{Title: "time a locate", X: "shards", Y: "µs", LogX: true, LogY: true, Lines: r.lines(Shards, at, perItem)},
		plot.Chart{Title: "memory of the map", X: "shards", Y: "MiB", LogX: true, LogY: true,
			Lines: r.lines(Shards, at, func(p *Point) float64 { return float64(p.Memory) / perMiB })})
	return out
}

// dots are the ratios of all findings that have one, by section.
func (r *Record) dots() plot.Dots {
	out := plot.Dots{Title: "Our rates by the others'", Less: "the other is faster", More: "Cairn is faster"}
	for _, s := range r.sections() {
		group := plot.DotGroup{Name: s.heading()}
		for _, f := range s.findings {
			ratios := f.Ratios()
			if len(ratios) == 0 {
				continue
			}
			interval := intervalOf(middle, ratios)
			group.Rows = append(group.Rows, plot.Dot{Name: cmp.Or(f.short(), f.Name) + " / " + f.Beside, Value: middle(ratios), Low: interval.Low, High: interval.High, Wanted: f.Goal.Ratio})
		}
		if len(group.Rows) > 0 {
			out.Groups = append(out.Groups, group)
		}
	}
	return out
}

func perItem(p *Point) float64 { return 1e9 / p.Run.Rate / perMicrosecond }

// lines are the curves of a figure; points without a value are left out.
func (r *Record) lines(figure string, x, y func(*Point) float64) []plot.Line {
	var out []plot.Line
	for i := range r.Curves {
		c := &r.Curves[i]
		if c.Figure != figure {
			continue
		}
		line := plot.Line{Name: c.Side}
		for j := range c.Points {
			if v := y(&c.Points[j]); v > 0 {
				line.X, line.Values = append(line.X, x(&c.Points[j])), append(line.Values, v)
			}
		}
		if len(line.X) > 0 {
			out = append(out, line)
		}
	}
	return out
}

// tails are latencies over how rare they are, of the middle point of each curve.
func (r *Record) tails() []plot.Line {
	var out []plot.Line
	for _, c := range r.Curves {
		if c.Figure != Rate || len(c.Points) == 0 {
			continue
		}
		line := plot.Line{Name: c.Side}
		run := &c.Points[len(c.Points)/2].Run
		for i, q := range Quantiles[:min(len(Quantiles)-1, len(run.Quantiles))] {
			line.X = append(line.X, math.Round(1/(1-q)))
			line.Values = append(line.Values, float64(run.Quantiles[i])/perMillisecond)
		}
		out = append(out, line)
	}
	return out
}

// write draws it into a folder.
func (d *drawing) write(folder string) error {
	file, err := os.Create(filepath.Join(folder, d.file))
	if err != nil {
		return err
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	if err := d.draw(out); err != nil {
		return err
	}
	return out.Flush()
}
