package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/records"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type explainDocument struct {
	Keyspace string `json:"keyspace"`
	Scheme   string `json:"scheme"`
	keyField
	// Placement keys are in hexadecimal.
	PlacementKey string        `json:"placement_key"`
	Shard        cairn.ShardID `json:"shard"`
	ShardStart   string        `json:"shard_start"`
	ShardEnd     string        `json:"shard_end"`
	Epoch        uint64        `json:"epoch"`
	IndexReplica string        `json:"index_replica"`
	MapRevision  uint64        `json:"map_revision"`
	LogRevision  uint64        `json:"log_revision"`
	Stamp        struct {
		Epoch uint64 `json:"epoch"`
		Index uint64 `json:"index"`
	} `json:"stamp"`
	// Cache is what the router's cache had to say: none, hit, miss or unproven.
	Cache string `json:"cache"`
	Found bool   `json:"found"`
	nodeFields
	Replicas   []nodeFields        `json:"replicas,omitempty"`
	Version    string              `json:"version,omitempty"`
	Attributes *records.Attributes `json:"attributes,omitempty"`
	Timings    []timingDocument    `json:"timings"`
	Token      string              `json:"token"`
}

type timingDocument struct {
	Layer        string  `json:"layer"`
	Microseconds float64 `json:"microseconds"`
}

func newExplain(o *options) *cobra.Command {
	var fresh freshness
	var view string
	cmd := &cobra.Command{
		Use:   "explain KEYSPACE KEY | --view VIEW KEY",
		Short: "Tell how a key is located, or why it is in a view",
		Long: `Tell how a key is located: its placement key, its shard and the shard's epoch,
the cluster that owns it, the index replica that answered and how fresh its
answer is, what the router's cache would have said (a hit, a miss, or unproven: not
known to be fresh enough), the node, and what each layer took. The answer is the
index's in any case.

With --view: whether the key's entry is in a view, and which clauses of its
filter make it so, with what the entry has there. An absent attribute makes a
clause unknown, and only entries of which the filter is true are in a view.

If the key has no entry the exit code is 4, with all the rest told.`,
		Example: `  cairn explain runways 252159
  cairn explain --view long-lighted 252159`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case !cmd.Flags().Changed("view"):
				return arguments(2, 2)(cmd, args)
			case len(args) != 1:
				return fmt.Errorf("wants a KEY beside --view; got %s", render.Counted(len(args), "argument", "arguments"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := o.keys.Key(args[len(args)-1])
			if err != nil {
				return err
			}
			read, err := fresh.read()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("view") {
				return o.explainMember(cmd, view, key, read)
			}
			return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				declared, err := c.Admin().GetKeyspace(ctx, &cairnv1.GetKeyspaceRequest{Name: keyspaceName(args[0])})
				if err != nil {
					return err
				}
				x, err := c.Explain(ctx, args[0], key, read)
				if err != nil {
					return err
				}
				return o.printExplanation(cmd, args[0], schemeOf(declared), key, x)
			})
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	fresh.flags(cmd)
	cmd.Flags().StringVar(&view, "view", "", "tell whether the key is in this `VIEW`, and why")
	return cmd
}

func (o *options) printExplanation(cmd *cobra.Command, keyspace string, scheme cairn.Scheme, key cairn.Key, x cairn.Explanation) error {
	d := explainDocument{
		Keyspace: keyspace, Scheme: scheme.String(), keyField: o.keyField(key), PlacementKey: hex.EncodeToString(x.PlacementKey),
		Shard: x.Shard.ID, ShardStart: hex.EncodeToString(x.Shard.Start), ShardEnd: hex.EncodeToString(x.Shard.End), Epoch: x.Shard.Epoch,
		IndexReplica: x.Replica, MapRevision: x.MapRevision, LogRevision: x.Revision,
		Cache: x.Cache.String(), Found: x.Location.State == cairn.Found, nodeFields: nodeOf(x.Cluster, x.Location.Primary),
		Replicas: nodesOf(x.Cluster, x.Location.Replicas), Token: x.Token.String(),
	}
	d.Stamp.Epoch, d.Stamp.Index = x.Stamp.Epoch, x.Stamp.Index
	if d.Found {
		d.Version, d.Attributes = x.Location.Version.String(), attributesOf(x.Location.Attributes)
	}
	for _, t := range x.Timings {
		d.Timings = append(d.Timings, timingDocument{t.Layer, float64(t.Duration) / float64(time.Microsecond)})
	}
	err := o.print(cmd, d, func(out io.Writer) error { return o.explainTable(out, d, scheme, key, x) })
	if err == nil {
		err = missing([]cairn.Location{x.Location})
	}
	return err
}

// explainTable follows the key from layer to layer.
func (o *options) explainTable(out io.Writer, d explainDocument, scheme cairn.Scheme, key cairn.Key, x cairn.Explanation) error {
	grid := render.Grid{}
	grid.Row("key", o.keys.Text(key))
	grid.Row("keyspace", fmt.Sprintf("%s, placed by %s", d.Keyspace, scheme))
	grid.Row("placement key", o.bound(scheme, x.PlacementKey, ""))
	grid.Row("shard", fmt.Sprintf("%s/%s, epoch %d", d.Keyspace, d.Shard, d.Epoch))
	grid.Row("", fmt.Sprintf("from %s to %s", o.bound(scheme, x.Shard.Start, "the first key"), o.bound(scheme, x.Shard.End, "the last key")))
	grid.Row("cluster", d.Cluster)
	grid.Row("index replica", d.IndexReplica)
	grid.Row("stamp", fmt.Sprintf("epoch %d, log index %d", x.Stamp.Epoch, x.Stamp.Index))
	grid.Row("map revision", fmt.Sprintf("%d at the router, %d in the index's log", d.MapRevision, d.LogRevision))
	grid.Row("cache", d.Cache)
	switch {
	case x.Location.Err != nil:
		grid.Row("entry", "error: "+x.Location.Err.Error())
	case !d.Found:
		grid.Row("entry", "not found")
	default:
		grid.Row("entry", "found, version "+d.Version)
		grid.Row("node", nodeText(d.nodeFields)+", primary")
		for _, r := range d.Replicas {
			grid.Row("", nodeText(r)+", replica")
		}
		for i, a := range x.Location.Attributes {
			label := ""
			if i == 0 {
				label = "attributes"
			}
			grid.Row(label, a.Name+"="+valueText(a.Value))
		}
	}
	grid.Row("token", d.Token)
	if err := grid.Write(out); err != nil {
		return err
	}
	times := render.Grid{Header: []string{"LAYER", "TOOK"}, Right: []int{1}}
	for _, t := range x.Timings {
		times.Row(t.Layer, render.Duration(t.Duration))
	}
	if _, err := io.WriteString(out, "\n"); err != nil {
		return err
	}
	return times.Write(out)
}

func nodeText(n nodeFields) string {
	text := n.Node + " at " + n.Address
	if n.Zone != "" {
		text += " in " + n.Zone
	}
	return text
}

// bound is a placement key as people read it: hexadecimal where it is a hash,
// a key where it is one, and open where it is none.
func (o *options) bound(scheme cairn.Scheme, placementKey []byte, open string) string {
	switch {
	case len(placementKey) == 0:
		return open
	case scheme == cairn.SchemeHash:
		return hex.EncodeToString(placementKey)
	}
	return o.keys.Text(placementKey)
}
