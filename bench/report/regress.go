package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// tolerance is how much worse a figure may be at the least for it to count: what
// is surely worse by less is not worth a look.
const tolerance = 0.05

// Change is what became of one finding from one record to another.
type Change struct {
	Name string
	// Of is "ratio" where both have one, else "rate".
	Of            string
	Before, After float64 // medians
	// Factor is After by Before, above 1 for the better, with its interval.
	Factor   float64
	Interval Interval
}

// Regressed tells whether it is worse by more than what may be chance and the
// tolerance.
func (c *Change) Regressed() bool { return c.Interval.High < 1-tolerance }

// Improved tells the same of what is better.
func (c *Change) Improved() bool { return c.Interval.Low > 1+tolerance }

// Changes compares what two records have both found: ratios where there are
// any, since these do not depend on the machine, and only those with
// ratiosOnly.
func Changes(before, after *Record, ratiosOnly bool) []Change {
	var out []Change
	for i := range before.Findings {
		a := &before.Findings[i]
		for j := range after.Findings {
			if b := &after.Findings[j]; a.Name == b.Name && a.Beside == b.Beside {
				if change, both := changeOf(a, b); both && (change.Of == "ratio" || !ratiosOnly) {
					out = append(out, change)
				}
			}
		}
	}
	return out
}

func changeOf(a, b *Finding) (c Change, both bool) {
	of, before, after := "ratio", a.Ratios(), b.Ratios()
	if len(before) == 0 || len(after) == 0 {
		of, before, after = "rate", rates(a.Ours), rates(b.Ours)
	}
	if len(before) == 0 || len(after) == 0 {
		return c, false
	}
	factor := func(samples ...[]float64) float64 { return middle(samples[1]) / middle(samples[0]) }
	c = Change{Name: a.Name, Of: of, Before: middle(before), After: middle(after), Interval: intervalOf(factor, before, after)}
	c.Factor = c.After / c.Before
	return c, true
}

func rates(runs []Run) []float64 {
	out := make([]float64, len(runs))
	for i := range runs {
		out[i] = runs[i].Rate
	}
	return out
}

// WriteChanges writes changes as a table and says how many regressed.
func WriteChanges(w io.Writer, changes []Change) (regressed int, err error) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FINDING\tOF\tBEFORE\tAFTER\tFACTOR\t95%\t")
	for i := range changes {
		c := &changes[i]
		verdict := ""
		switch {
		case c.Regressed():
			verdict = "REGRESSED"
			regressed++
		case c.Improved():
			verdict = "improved"
		}
		number := figure
		if c.Of == "rate" {
			number = perSecond
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s to %s\t%s\n", c.Name, c.Of, number(c.Before), number(c.After), figure(c.Factor),
			figure(c.Interval.Low), figure(c.Interval.High), verdict)
	}
	return regressed, table.Flush()
}
