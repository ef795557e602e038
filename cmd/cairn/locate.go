package main

import (
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/records"
	"cairn/cmd/cairn/render"
)

type locateDocument struct {
	Results []locatedDocument `json:"results"`
	Token   string            `json:"token"`
}

type locatedDocument struct {
	keyField
	Found bool `json:"found"`
	nodeFields
	Replicas   []nodeFields        `json:"replicas,omitempty"`
	Use        *nodeFields         `json:"use,omitempty"`
	Version    string              `json:"version,omitempty"`
	Attributes *records.Attributes `json:"attributes,omitempty"`
	Error      *errorFields        `json:"error,omitempty"`
}

func newLocate(o *options) *cobra.Command {
	var fresh freshness
	var byNode bool
	var choice cairn.NodeChoice
	cmd := &cobra.Command{
		Use:   "locate KEYSPACE KEY...",
		Short: "Tell where keys live",
		Long: `Tell on which node of which cluster keys live, and their attributes.

Results are printed in the order of the keys. If a key has no entry the exit
code is 4, with the results printed all the same. "-" reads keys from standard
input, one a line. With --by-node the keys are grouped by the node that holds
them. With --choose the node that is to be used is told too, by a rule and, for
the nearest, by a zone.`,
		Example: `  cairn locate runways 252159
  cairn locate runways 252159 --choose nearest --zone eu-west
  cut -d, -f1 ids.csv | cairn locate runways - -o json`,
		Args: arguments(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := o.readKeys(cmd, args[1:])
			if err != nil {
				return err
			}
			read, err := fresh.read()
			if err != nil {
				return err
			}
			locations, token, err := o.locate(cmd.Context(), args[0], keys, cairn.Reading{Freshness: read, WithAttributes: !byNode, Choice: choice})
			if err != nil {
				return err
			}
			if byNode {
				err = o.printByNode(cmd, keys, locations, token)
			} else {
				told := choice.Rule != cairn.RuleDefault
				err = o.print(cmd, o.locateDocument(keys, locations, token, told), func(out io.Writer) error { return o.locateTable(out, keys, locations, told) })
			}
			if err != nil {
				return err
			}
			return missing(locations)
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	fresh.flags(cmd)
	chooseFlag(cmd, &choice.Rule, "tell which of an entry's nodes to use, by a `RULE`")
	cmd.Flags().StringVar(&choice.Zone, "zone", "", "the `ZONE` that you are in; the router's by default")
	cmd.Flags().BoolVar(&byNode, "by-node", false, "group the keys by the node that holds them")
	return cmd
}

// locateBatch is how many keys one request asks for: answers of this size
// stay below the limit on messages unless their attributes are big.
const locateBatch = 1000

// locate asks for any number of keys, in as many requests as it takes.
func (o *options) locate(ctx context.Context, keyspace string, keys []cairn.Key, read cairn.Reading) (locations []cairn.Location, token cairn.Token, err error) {
	c, err := o.connect()
	if err != nil {
		return nil, token, err
	}
	defer c.Close()
	ask := func(keys []cairn.Key) error {
		ctx, cancel := o.within(ctx)
		defer cancel()
		batch, at, err := c.BatchLocate(ctx, keyspace, keys, read)
		locations, token = append(locations, batch...), token.Merge(at)
		return err
	}
	for batch := range slices.Chunk(keys, locateBatch) {
		if err := inHalves(batch, ask); err != nil {
			return nil, token, err
		}
	}
	return locations, token, nil
}

// inHalves carries out ask with all, or, where an answer would be over the
// limit on messages, with the halves of all, in order.
func inHalves[T any](all []T, ask func([]T) error) error {
	err := ask(all)
	if cairn.ReasonOf(err) != "MESSAGE_TOO_LARGE" || len(all) < 2 {
		return err
	}
	if err := inHalves(all[:len(all)/2], ask); err != nil {
		return err
	}
	return inHalves(all[len(all)/2:], ask)
}

// missing is the exit that locations call for: that of the worst error among
// them, or that something was not found.
func missing(locations []cairn.Location) error {
	code := exitOK
	for _, l := range locations {
		switch {
		case l.Err != nil:
			if failed := codeOf(l.Err); code == exitOK || code == exitNotFound || failed == exitFailed {
				code = failed
			}
		case l.State != cairn.Found && code == exitOK:
			code = exitNotFound
		}
	}
	if code == exitOK {
		return nil
	}
	return exit{code}
}

// locateDocument is the answer as a document; told tells whether it says which node to
// use.
func (o *options) locateDocument(keys []cairn.Key, locations []cairn.Location, token cairn.Token, told bool) locateDocument {
	d := locateDocument{Results: make([]locatedDocument, len(keys)), Token: token.String()}
	for i, l := range locations {
		r := locatedDocument{keyField: o.keyField(keys[i]), Found: l.State == cairn.Found, Error: errorOf(l.Err)}
		if r.Found {
			r.nodeFields = nodeOf(l.Cluster, l.Primary)
			r.Replicas = nodesOf(l.Cluster, l.Replicas)
			r.Version = l.Version.String()
			r.Attributes = attributesOf(l.Attributes)
			if told {
				use := nodeOf(l.Cluster, l.Use)
				r.Use = &use
			}
		}
		d.Results[i] = r
	}
	return d
}

// locateTable writes the answer as a table. Where it tells which node to use, that is the
// one whose address is shown.
func (o *options) locateTable(out io.Writer, keys []cairn.Key, locations []cairn.Location, told bool) error {
	grid := render.Grid{Header: []string{"KEY", "CLUSTER", "NODE", "ADDRESS", "ATTRIBUTES"}}
	for i, l := range locations {
		key := o.keys.Text(keys[i])
		switch {
		case l.Err != nil:
			grid.Row(key, "-", "-", "-", "error: "+l.Err.Error())
		case l.State != cairn.Found:
			grid.Row(key, "-", "-", "-", "not found")
		default:
			nodes, address := nodeNames(l.Primary, l.Replicas), l.Primary.Address
			if told {
				nodes, address = l.Use.Name, l.Use.Address
			}
			grid.Row(key, l.Cluster, nodes, address, attributesText(l.Attributes))
		}
	}
	return grid.Write(out)
}
