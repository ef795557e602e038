package main

import (
	"context"
	"encoding/json"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

type groupsDocument struct {
	Groups []groupDocument `json:"groups"`
	scatteredFields
}

// groupDocument is an object of the values grouped by, null for an absent one,
// and their count.
type groupDocument struct {
	by    []string
	group cairn.Group
}

// MarshalJSON puts the attributes first, in the order in which they were asked
// for. One that is called count is spelled "attributes.count", which is no
// attribute's name.
func (g groupDocument) MarshalJSON() ([]byte, error) {
	fields := make(cairn.NamedValues, 0, len(g.by)+1)
	for i, name := range g.by {
		if name == "count" {
			name = "attributes.count"
		}
		fields = append(fields, cairn.NamedValue{Name: name, Value: g.group.Values[i]})
	}
	fields = append(fields, cairn.NamedValue{Name: "count", Value: cairn.Int(int64(g.group.Count))})
	return json.Marshal(attributesOf(fields))
}

func (q *query) askGroups(ctx context.Context, c *client.Client) (answered, error) {
	groups, err := c.GroupView(ctx, cairn.GroupQuery{Selection: q.selection(), By: q.groupBy, Top: q.top})
	if err != nil {
		return answered{}, err
	}
	d := groupsDocument{Groups: make([]groupDocument, len(groups.Groups)), scatteredFields: scatteredOf(groups.Scattered)}
	grid := &render.Grid{Header: append(append([]string{}, q.groupBy...), "COUNT"), Right: []int{len(q.groupBy)}}
	for i, g := range groups.Groups {
		d.Groups[i] = groupDocument{q.groupBy, g}
		var cells []string
		for _, value := range g.Values {
			cells = append(cells, cell(value, true))
		}
		grid.Row(append(cells, render.Count(g.Count))...)
	}
	return answered{
		document: d, content: groups.Groups, token: groups.Token, missing: groups.Missing,
		table: grid.Write,
	}, nil
}
