package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

type memberDocument struct {
	View string `json:"view"`
	// Version is that of the view, and Filter its filter.
	Version uint64 `json:"version"`
	Filter  string `json:"filter,omitempty"`
	keyField
	Cluster string `json:"cluster"`
	Found   bool   `json:"found"`
	Member  bool   `json:"member"`
	// Truth is what the filter is of the entry: true, false or unknown; absent
	// where there is no entry or no filter.
	Truth   string           `json:"truth,omitempty"`
	Clauses []clauseDocument `json:"clauses"`
	Token   string           `json:"token"`
}

// clauseDocument is a clause that decides.
type clauseDocument struct {
	Clause string `json:"clause"`
	Truth  string `json:"truth"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// Attribute is what the clause is on, and Value what the entry has there:
	// null if it is absent.
	Attribute string          `json:"attribute,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
}

// explainMember tells whether a key is in a view, and why.
func (o *options) explainMember(cmd *cobra.Command, view string, key cairn.Key, read cairn.Freshness) error {
	return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
		x, err := c.ExplainView(ctx, view, key, read)
		if err != nil {
			return err
		}
		d := memberDocument{
			View: view, Version: x.Version, Filter: x.Filter, keyField: o.keyField(key), Cluster: x.Cluster,
			Found: x.Membership.Found, Member: x.Membership.Member, Truth: x.Membership.Truth,
			Clauses: []clauseDocument{}, Token: x.Token.String(),
		}
		for _, decision := range x.Membership.Deciding {
			clause := clauseDocument{Clause: decision.Text, Truth: decision.Truth, Line: decision.Line, Column: decision.Column, Attribute: x.Attributes[decision.Attribute]}
			if clause.Attribute != "" {
				if clause.Value, err = decision.Value.MarshalJSON(); err != nil {
					return err
				}
			}
			d.Clauses = append(d.Clauses, clause)
		}
		err = o.print(cmd, d, func(out io.Writer) error { return o.memberTable(out, d, key, x) })
		if err == nil && !d.Found {
			return exit{exitNotFound}
		}
		return err
	})
}

func (o *options) memberTable(out io.Writer, d memberDocument, key cairn.Key, x cairn.ViewMembership) error {
	grid := render.Grid{}
	grid.Row("key", o.keys.Text(key))
	grid.Row("view", fmt.Sprintf("%s, version %d", d.View, d.Version))
	if d.Filter != "" {
		grid.Row("filter", oneLine(d.Filter))
	}
	grid.Row("cluster", d.Cluster)
	switch {
	case !d.Found:
		grid.Row("entry", "not found")
	case d.Member:
		grid.Row("in the view", "yes")
	default:
		grid.Row("in the view", "no")
	}
	if d.Truth != "" {
		grid.Row("the filter is", d.Truth)
	}
	grid.Row("token", d.Token)
	if err := grid.Write(out); err != nil || len(d.Clauses) == 0 {
		return err
	}
	clauses := render.Grid{Header: []string{"CLAUSE", "IS", "BECAUSE"}}
	for i, c := range d.Clauses {
		because := ""
		if c.Attribute != "" {
			because = c.Attribute + " is absent"
			if value := x.Membership.Deciding[i].Value; value.Type() != cairn.TypeNull {
				because = c.Attribute + "=" + valueText(value)
			}
		}
		clauses.Row(oneLine(c.Clause), c.Truth, because)
	}
	if _, err := io.WriteString(out, "\n"); err != nil {
		return err
	}
	return clauses.Write(out)
}
