package views

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"cairn"
	"cairn/bench/report"
)

// PageRows is how many rows a page has.
const PageRows = 50

// Workload is one kind of question.
type Workload struct {
	// Name is of letters alone, as benchstat wants it.
	Name string
	// Text says what is asked.
	Text string
	Asks Asks
	// Everywhere asks all views in turn; else it is Recent that is asked.
	Everywhere bool
	// Behind pages begin behind a position drawn at random.
	Behind bool
	// Narrowed questions have a condition with random constants.
	Narrowed bool
	Goal     report.Goal
}

// Asks is what a question asks for.
type Asks uint8

// The questions: a page, a count, counts by country, and the count, sum, least
// and greatest of balances.
const (
	Page Asks = iota
	Count
	Group
	Aggregate
)

// Workloads are what is measured.
func Workloads() []Workload {
	atLeast := func(ratio float64) report.Goal { return report.Goal{Ratio: ratio} }
	return []Workload{
		{Name: "FirstPage", Text: "the first 50 rows of a view drawn at random, with key, node and three attributes", Asks: Page, Everywhere: true, Goal: atLeast(1)},
		{Name: "NextPage", Text: "50 rows behind a position drawn at random, of a view drawn at random", Asks: Page, Everywhere: true, Behind: true, Goal: atLeast(1)},
		{Name: "PageWhere", Text: "the first 50 rows of \"recent\" with a tier and above a score, both drawn at random", Asks: Page, Narrowed: true},
		{Name: "Count", Text: "the members of \"recent\"", Asks: Count, Goal: atLeast(50)},
		{Name: "CountWhere", Text: "those with a tier and above a score, both drawn at random", Asks: Count, Narrowed: true, Goal: atLeast(50)},
		{Name: "Group", Text: "the members of \"recent\" by country", Asks: Group, Goal: atLeast(50)},
		{Name: "GroupWhere", Text: "the same of those with a tier and above a score, both drawn at random", Asks: Group, Narrowed: true, Goal: atLeast(50)},
		{Name: "Aggregate", Text: "count, sum, least and greatest balance of \"recent\"", Asks: Aggregate, Goal: atLeast(20)},
		{Name: "AggregateWhere", Text: "the same of those with a tier and above a score, both drawn at random", Asks: Aggregate, Narrowed: true, Goal: atLeast(20)},
	}
}

// Question is one question of a workload.
type Question struct {
	*Workload
	// View is the number of the view that is asked.
	View int
	// After is where a page begins; nil for the first row.
	After *Position
	// Tier and Score are those of a narrowed question.
	Tier  string
	Score float64
}

// Position is where a row stands in a view.
type Position struct {
	// Cursor is the position as Cairn gives it out; Sort and Key are what it
	// stands for.
	Cursor string
	Sort   cairn.Value
	Key    []byte
}

// Positions are positions to draw from, of each view.
type Positions [][]Position

// Draw draws a question.
func (w *Workload) Draw(random *rand.Rand, positions Positions) Question {
	q := Question{Workload: w, View: Recent}
	if w.Everywhere {
		q.View = random.IntN(len(Views))
	}
	if w.Behind {
		of := positions[q.View]
		q.After = &of[random.IntN(len(of))]
	}
	if w.Narrowed {
		q.Tier, q.Score = name('t', random.IntN(tiers)), 2*random.Float64()-1
	}
	return q
}

// Sums is a question for sums, as a router is asked it: which entries, and of which
// attribute.
func (q *Question) Sums() (selected cairn.Selection, attribute string) {
	return cairn.Selection{View: Views[q.View].Name, Where: q.where()}, "balance"
}

// where is the question's condition in CEL.
func (q *Question) where() string {
	if !q.Narrowed {
		return ""
	}
	return fmt.Sprintf("tier == %q && score > %s", q.Tier, decimal(q.Score))
}

// decimal is a float as CEL reads it: with a point, so that it is not an int.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 17, 64) }
