package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/records"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

type pageDocument struct {
	Rows []rowDocument `json:"rows"`
	// NextCursor is empty on the last page.
	NextCursor string         `json:"next_cursor"`
	Plans      []planDocument `json:"plans,omitempty"`
	scatteredFields
}

type rowDocument struct {
	keyField
	nodeFields
	Replicas   []nodeFields        `json:"replicas,omitempty"`
	Attributes *records.Attributes `json:"attributes"`
}

type planDocument struct {
	Cluster      string  `json:"cluster"`
	Plan         string  `json:"plan"`
	Rows         int     `json:"rows"`
	Microseconds float64 `json:"microseconds"`
}

// scatteredFields are what every answer over a view says of how it came about.
type scatteredFields struct {
	// Missing are the clusters that a partial answer is without.
	Missing []missingFields `json:"missing,omitempty"`
	Token   string          `json:"token"`
}

type missingFields struct {
	Cluster string       `json:"cluster"`
	Error   *errorFields `json:"error"`
}

func scatteredOf(s cairn.Scattered) scatteredFields {
	out := scatteredFields{Token: s.Token.String()}
	for _, each := range s.Missing {
		out.Missing = append(out.Missing, missingFields{each.Cluster, errorOf(each.Err)})
	}
	return out
}

// noteMissing names the clusters that a partial answer is without.
func noteMissing(cmd *cobra.Command, missing []cairn.MissingCluster) {
	for _, each := range missing {
		note(cmd, "without cluster %s: %v", each.Cluster, each.Err)
	}
}

func (q *query) askPage(ctx context.Context, c *client.Client) (answered, error) {
	page, err := c.QueryView(ctx, cairn.PageQuery{
		Selection: q.selection(), OrderBy: q.orderBy, Limit: q.limit, Cursor: q.cursor, Offset: q.offset,
		Fields: q.fields, Explain: q.explain,
	})
	if err != nil {
		return answered{}, err
	}
	d := pageDocument{Rows: make([]rowDocument, len(page.Rows)), NextCursor: page.NextCursor, scatteredFields: scatteredOf(page.Scattered)}
	for i, row := range page.Rows {
		d.Rows[i] = rowDocument{q.keyField(row.Key), nodeOf(row.Cluster, row.Primary), nodesOf(row.Cluster, row.Replicas), attributesOf(row.Attributes.Sorted())}
	}
	slices.SortStableFunc(page.Plans, func(a, b cairn.ClusterPlan) int { return strings.Compare(a.Cluster, b.Cluster) })
	for _, plan := range page.Plans {
		d.Plans = append(d.Plans, planDocument{plan.Cluster, plan.Plan, plan.Rows, float64(plan.Duration) / float64(time.Microsecond)})
	}
	return answered{
		document: d, content: d.Rows, token: page.Token, missing: page.Missing, next: page.NextCursor,
		table: func(out io.Writer) error {
			if err := q.rowTable(out, page.Rows); err != nil || !q.explain {
				return err
			}
			return planTable(out, page.Plans)
		},
	}, nil
}

// rowTable has a column for each attribute: the rows of a page have the same
// ones, as far as they have them at all.
func (q *query) rowTable(out io.Writer, rows []cairn.NamedRow) error {
	names := q.fields
	if len(names) == 0 {
		names = attributeNames(rows)
	}
	grid := render.Grid{Header: append([]string{"KEY", "CLUSTER", "NODE", "ADDRESS"}, names...)}
	before := len(grid.Header) - len(names)
	for i, name := range names {
		if slices.ContainsFunc(rows, func(row cairn.NamedRow) bool { return isNumber(row.Attributes, name) }) {
			grid.Right = append(grid.Right, before+i)
		}
	}
	for _, row := range rows {
		address := "-"
		if row.Primary != nil {
			address = row.Primary.Address
		}
		cells := []string{q.keys.Text(row.Key), row.Cluster, nodeNames(row.Primary, row.Replicas), address}
		for _, name := range names {
			cells = append(cells, cell(row.Attributes.Get(name)))
		}
		grid.Row(cells...)
	}
	return grid.Write(out)
}

// attributeNames are those of all rows, in order.
func attributeNames(rows []cairn.NamedRow) []string {
	var names []string
	for _, row := range rows {
		for name := range row.Attributes.All() {
			if at, found := slices.BinarySearch(names, name); !found {
				names = slices.Insert(names, at, name)
			}
		}
	}
	return names
}

func isNumber(values cairn.RowValues, name string) bool {
	value, _ := values.Get(name)
	return value.Type() == cairn.TypeInt || value.Type() == cairn.TypeFloat
}

// cell is a value in a column of its own; "-" stands for an absent one.
func cell(value cairn.Value, present bool) string {
	if !present || value.Type() == cairn.TypeNull {
		return "-"
	}
	return valueText(value)
}

// planTable gives each plan's estimates, costs, and what was touched, lines of
// their own.
func planTable(out io.Writer, plans []cairn.ClusterPlan) error {
	grid := render.Grid{Header: []string{"CLUSTER", "ROWS", "TOOK", "PLAN"}, Right: []int{1, 2}}
	for _, p := range plans {
		method, rest, _ := strings.Cut(p.Plan, ": ")
		grid.Row(p.Cluster, render.Count(p.Rows), render.Duration(p.Duration), method)
		estimate, touched, priced := strings.Cut(rest, " (")
		costs := ""
		if priced {
			costs, touched, _ = strings.Cut("("+touched, "), ")
			costs = strings.TrimSuffix(costs, ")") + ")"
		} else {
			estimate, touched, _ = strings.Cut(rest, ", ")
		}
		for _, line := range []string{estimate, costs, touched} {
			if line != "" {
				grid.Row("", "", "", "  "+line)
			}
		}
	}
	if _, err := io.WriteString(out, "\n"); err != nil {
		return err
	}
	return grid.Write(out)
}
