package main

import (
	"cmp"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
)

type byNodeDocument struct {
	Nodes    []heldDocument `json:"nodes"`
	NotFound []keyField     `json:"not_found"`
	Errors   []keyError     `json:"errors,omitempty"`
	Token    string         `json:"token"`
}

// heldDocument are the keys whose data a node holds as their primary.
type heldDocument struct {
	nodeFields
	Keys []keyField `json:"keys"`
}

type keyError struct {
	keyField
	Error *errorFields `json:"error"`
}

// printByNode prints which node holds which of the keys.
func (o *options) printByNode(cmd *cobra.Command, keys []cairn.Key, locations []cairn.Location, token cairn.Token) error {
	d := byNodeDocument{Nodes: []heldDocument{}, NotFound: []keyField{}, Token: token.String()}
	places := map[nodeFields]int{}
	for i, l := range locations {
		key := o.keyField(keys[i])
		switch {
		case l.Err != nil:
			d.Errors = append(d.Errors, keyError{key, errorOf(l.Err)})
		case l.State != cairn.Found:
			d.NotFound = append(d.NotFound, key)
		default:
			node := nodeOf(l.Cluster, l.Primary)
			place, known := places[node]
			if !known {
				place = len(d.Nodes)
				places[node] = place
				d.Nodes = append(d.Nodes, heldDocument{nodeFields: node})
			}
			d.Nodes[place].Keys = append(d.Nodes[place].Keys, key)
		}
	}
	slices.SortFunc(d.Nodes, func(a, b heldDocument) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Node, b.Node))
	})
	return o.print(cmd, d, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"CLUSTER", "NODE", "ADDRESS", "KEYS"}, Right: []int{3}}
		for _, n := range d.Nodes {
			grid.Row(n.Cluster, n.Node, n.Address, render.Count(len(n.Keys)))
		}
		if len(d.NotFound) > 0 {
			grid.Row("-", "-", "not found", render.Count(len(d.NotFound)))
		}
		if len(d.Errors) > 0 {
			grid.Row("-", "-", "error: "+d.Errors[0].Error.Message, render.Count(len(d.Errors)))
		}
		return grid.Write(out)
	})
}
