package report

import (
	"fmt"
	"strconv"

	"cairn/bench/load"
)

// Curve is how one side does as something grows.
type Curve struct {
	// Figure is what the curve belongs to, one of the names below.
	Figure string `json:"figure"`
	// Side is whose it is.
	Side   string  `json:"side"`
	Points []Point `json:"points"`
}

// The figures that there are, by what grows.
const (
	Callers = "callers" // concurrent callers, in a closed loop
	Rate    = "rate"    // calls a second that are due, in an open loop
	Entries = "entries" // entries in the index
	Shards  = "shards"  // shards in the map
)

// Point is a run at one size of what grows.
type Point struct {
	At  float64 `json:"at"`
	Run Run     `json:"run"`
	// Memory is what is resident and Disk what the files have, in bytes; 0
	// where it was not measured.
	Memory int64 `json:"memory_bytes,omitempty"`
	Disk   int64 `json:"disk_bytes,omitempty"`
}

// AddPoint adds a run to the curve of a side, which it begins if there is none.
func (r *Record) AddPoint(figure, side string, at float64, result load.Result, memory, disk int64) {
	p := Point{At: at, Run: runOf(result), Memory: memory, Disk: disk}
	c := r.curve(figure, side)
	if len(c.Points) == 0 {
		fmt.Fprintf(r, "\n# %s, more and more %s\n", side, figure)
	}
	c.Points = append(c.Points, p)
	writeRun(r, fmt.Sprintf("Curve/side=%s/%s=%s", dashed(side), figure, strconv.FormatFloat(at, 'f', 0, 64)), &p.Run)
	if memory > 0 || disk > 0 {
		fmt.Fprintf(r, "memory %d KiB, disk %d KiB\n", memory>>10, disk>>10)
	}
}

func (r *Record) curve(figure, side string) *Curve {
	for i := range r.Curves {
		if c := &r.Curves[i]; c.Figure == figure && c.Side == side {
			return c
		}
	}
	r.Curves = append(r.Curves, Curve{Figure: figure, Side: side})
	return &r.Curves[len(r.Curves)-1]
}

// dashed is a name without what benchstat does not take.
func dashed(name string) string {
	out := []byte(name)
	for i, c := range out {
		if c == ' ' || c == ',' {
			out[i] = '-'
		}
	}
	return string(out)
}
