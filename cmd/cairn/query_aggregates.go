package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

// aggregate is one of the flags that ask for aggregates, with the attributes
// that it was given.
type aggregate struct {
	flag, usage string
	of          *[]string
}

func (q *query) aggregates() []aggregate {
	return []aggregate{
		{"sum", "the sum of these `ATTRIBUTES`", &q.sum},
		{"min", "the least value of these `ATTRIBUTES`", &q.min},
		{"max", "the greatest value of these `ATTRIBUTES`", &q.max},
		{"mean", "the mean of these `ATTRIBUTES`", &q.mean},
	}
}

// aggregatesDocument is for several attributes; of one, its fields stand alone
// beside the token.
type aggregatesDocument struct {
	Aggregates []aggregateFields `json:"aggregates"`
	scatteredFields
}

type aggregateDocument struct {
	aggregateFields
	scatteredFields
}

// aggregateFields are null where no entry has the attribute, and absent where
// nobody asked.
type aggregateFields struct {
	Attribute string `json:"attribute"`
	// Count is how many entries have the attribute.
	Count int             `json:"count"`
	Sum   json.RawMessage `json:"sum,omitempty"`
	Min   json.RawMessage `json:"min,omitempty"`
	Max   json.RawMessage `json:"max,omitempty"`
	Mean  json.RawMessage `json:"mean,omitempty"`
}

// askAggregates asks for one attribute after the other: each answer is of one
// state, and none is of an older one than that before it.
func (q *query) askAggregates(ctx context.Context, c *client.Client) (answered, error) {
	var of []aggregateFields
	var all cairn.Scattered
	grid := q.aggregateGrid()
	selected := q.selection()
	for _, attribute := range q.attributes {
		found, err := c.AggregateView(ctx, selected, attribute)
		if err != nil {
			return answered{}, inFlag(err, "attribute", q.askedBy[attribute])
		}
		fields, cells, err := q.aggregate(attribute, found.Aggregation)
		if err != nil {
			return answered{}, err
		}
		of = append(of, fields)
		grid.Row(cells...)
		all.Token = all.Token.Merge(found.Token)
		if selected.Freshness.Level != cairn.Linearizable {
			selected.Freshness = cairn.Freshness{Level: cairn.AtLeast, Token: all.Token}
		}
		for _, missing := range found.Missing {
			if !slices.ContainsFunc(all.Missing, func(m cairn.MissingCluster) bool { return m.Cluster == missing.Cluster }) {
				all.Missing = append(all.Missing, missing)
			}
		}
	}
	a := answered{content: of, token: all.Token, missing: all.Missing, table: grid.Write}
	if a.document = (aggregatesDocument{of, scatteredOf(all)}); len(of) == 1 {
		a.document = aggregateDocument{of[0], scatteredOf(all)}
	}
	return a, nil
}

// aggregateGrid has a column for each aggregate that was asked for of any
// attribute.
func (q *query) aggregateGrid() *render.Grid {
	grid := &render.Grid{Header: []string{"ATTRIBUTE", "COUNT"}, Right: []int{1}}
	for _, column := range []struct {
		header string
		of     []string
	}{{"SUM", q.sum}, {"MIN", q.min}, {"MAX", q.max}, {"MEAN", q.mean}} {
		if len(column.of) > 0 {
			grid.Right = append(grid.Right, len(grid.Header))
			grid.Header = append(grid.Header, column.header)
		}
	}
	return grid
}

// aggregate is what there is to say about one attribute: as a document, and
// as cells for the columns of aggregateGrid.
func (q *query) aggregate(attribute string, a cairn.Aggregation) (fields aggregateFields, cells []string, err error) {
	fields = aggregateFields{Attribute: attribute, Count: a.Count}
	cells = []string{attribute, render.Count(a.Count)}
	for _, each := range []struct {
		flag   string
		of     []string
		value  func() (cairn.Value, error)
		answer *json.RawMessage
	}{
		{"--sum", q.sum, a.Sum, &fields.Sum},
		{"--min", q.min, func() (cairn.Value, error) { return a.Min, nil }, &fields.Min},
		{"--max", q.max, func() (cairn.Value, error) { return a.Max, nil }, &fields.Max},
		{"--mean", q.mean, a.Mean, &fields.Mean},
	} {
		switch {
		case len(each.of) == 0:
			continue
		case !slices.Contains(each.of, attribute):
			cells = append(cells, "")
			continue
		}
		value, err := each.value()
		if cairn.ReasonOf(err) == "SUM_OVERFLOW" && a.Min.Type() == cairn.TypeInt {
			// JSON and tables have room for it.
			*each.answer = json.RawMessage(a.Ints.String())
			cells = append(cells, a.Ints.String())
			continue
		}
		if err != nil {
			return fields, nil, inFlag(err, "", each.flag+" "+attribute)
		}
		if *each.answer, err = value.MarshalJSON(); err != nil {
			return fields, nil, err
		}
		cells = append(cells, cell(value, true))
	}
	return fields, cells, nil
}

// inFlag is an error about a field, or about any for none, that names a flag
// instead.
func inFlag(err error, field, flag string) error {
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok || field != "" && e.Field != field {
		return err
	}
	named := *e
	named.Field = flag
	return &named
}
