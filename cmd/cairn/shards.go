package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type shardsDocument struct {
	Shards []shardDocument `json:"shards"`
}

type shardDocument struct {
	ID       uint64 `json:"id"`
	Keyspace string `json:"keyspace"`
	Cluster  string `json:"cluster"`
	Epoch    uint64 `json:"epoch"`
	// Start and End are placement keys in hexadecimal; an empty End is open.
	Start string `json:"start"`
	End   string `json:"end"`
	// Entries is absent where the index did not answer.
	Entries *uint64 `json:"entries,omitempty"`
	Pinned  bool    `json:"pinned,omitempty"`
	// Move is the one that holds the shard.
	Move string `json:"move,omitempty"`
}

func newShardDocument(s *cairnv1.Shard) shardDocument {
	id, _ := strconv.ParseUint(short(s.GetName()), 10, 64) // the server numbers shards
	keyspace, _, _ := strings.Cut(strings.TrimPrefix(s.GetName(), "keyspaces/"), "/")
	return shardDocument{
		ID: id, Keyspace: keyspace, Cluster: short(s.GetCluster()), Epoch: s.GetEpoch(),
		Start: hex.EncodeToString(s.GetStart()), End: hex.EncodeToString(s.GetEnd()), Entries: s.Entries,
		Pinned: s.GetPinned(), Move: short(s.GetMove()),
	}
}

// note is what is special about the shard, empty if nothing is.
func (d shardDocument) note() string {
	switch {
	case d.Move != "":
		return "moving: " + d.Move
	case d.Pinned:
		return "pinned"
	}
	return ""
}

func newShards(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shards KEYSPACE",
		Short: "List, split, merge, isolate and pin shards, and show their history",
		Long: `List a keyspace's shards in the order of their placement keys, with the cluster
that owns each, its epoch and how many entries it holds.`,
		Example: `  cairn shards runways
  cairn shards split runways/17
  cairn shards merge runways/17`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.shards(cmd, args[0]) },
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	cmd.AddCommand(newSplit(o), newMerge(o), newIsolate(o), newPin(o), newUnpin(o), newShardsHistory(o))
	return cmd
}

func (o *options) shards(cmd *cobra.Command, keyspace string) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	var shards []*cairnv1.Shard
	for token := ""; ; {
		ctx, cancel := o.within(cmd.Context())
		page, err := c.Admin().ListShards(ctx, &cairnv1.ListShardsRequest{Parent: keyspaceName(keyspace), PageSize: 10_000, PageToken: token})
		cancel()
		if err != nil {
			return err
		}
		shards = append(shards, page.GetShards()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	ctx, cancel := o.within(cmd.Context())
	defer cancel()
	declared, err := c.Admin().GetKeyspace(ctx, &cairnv1.GetKeyspaceRequest{Name: keyspaceName(keyspace)})
	if err != nil {
		return err
	}
	return o.printShards(cmd, schemeOf(declared), shards)
}

func (o *options) printShards(cmd *cobra.Command, scheme cairn.Scheme, shards []*cairnv1.Shard) error {
	document := shardsDocument{Shards: make([]shardDocument, len(shards))}
	for i, s := range shards {
		document.Shards[i] = newShardDocument(s)
	}
	return o.print(cmd, document, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"SHARD", "CLUSTER", "EPOCH", "ENTRIES", "FROM", "TO"}, Right: []int{2, 3}}
		noted := slices.ContainsFunc(document.Shards, func(d shardDocument) bool { return d.note() != "" })
		if noted {
			grid.Header = append(grid.Header, "NOTE")
		}
		for i, d := range document.Shards {
			entries := "?"
			if d.Entries != nil {
				entries = render.Count(*d.Entries)
			}
			row := []string{
				d.Keyspace + "/" + strconv.FormatUint(d.ID, 10), d.Cluster, strconv.FormatUint(d.Epoch, 10), entries,
				o.bound(scheme, shards[i].GetStart(), "-"), o.bound(scheme, shards[i].GetEnd(), "-"),
			}
			if noted {
				row = append(row, cmp.Or(d.note(), "-"))
			}
			grid.Row(row...)
		}
		return grid.Write(out)
	})
}

// shardName reads KEYSPACE/ID.
func shardName(text string) (keyspace, name string, err error) {
	keyspace, id, ok := strings.Cut(text, "/")
	if _, malformed := strconv.ParseUint(id, 10, 64); !ok || keyspace == "" || malformed != nil {
		return "", "", cairn.Invalid("shard", "SHARD_MALFORMED", "%q is not a shard; one looks like runways/17, and 'cairn shards KEYSPACE' lists them", text)
	}
	return keyspace, keyspaceName(keyspace) + "/shards/" + id, nil
}

// changing carries out a change of a shard and prints what became of it.
func (o *options) changing(cmd *cobra.Command, shard string, change func(ctx context.Context, admin cairnv1.AdminClient, name string) ([]*cairnv1.Shard, error)) error {
	keyspace, name, err := shardName(shard)
	if err != nil {
		return err
	}
	return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
		declared, err := c.Admin().GetKeyspace(ctx, &cairnv1.GetKeyspaceRequest{Name: keyspaceName(keyspace)})
		if err != nil {
			return err
		}
		shards, err := change(ctx, c.Admin(), name)
		if err != nil {
			return err
		}
		return o.printShards(cmd, schemeOf(declared), shards)
	})
}
