package main

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/records"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

func newExport(o *options) *cobra.Command {
	var fresh freshness
	cmd := &cobra.Command{
		Use:   "export KEYSPACE",
		Short: "Print all entries as NDJSON",
		Long: `Print all entries of a keyspace in key order, one JSON object a line, which
'cairn import' takes back:

  {"key":"252159","node":"north-a","attributes":{"length_ft":12091}}

"replicas" has further nodes, and "key_encoding" stands beside a key that is
not UTF-8. The same entries give the same bytes: a record has no version and
nothing of the cluster or shard it happens to be in.

Entries that change meanwhile are exported as they are when their page is read.
With -o yaml the records are a stream of YAML documents.`,
		Example: `  cairn export runways > runways.ndjson
  cairn import runways runways.ndjson --addr other-stack:7600`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			read, err := fresh.read()
			if err != nil {
				return err
			}
			return o.export(cmd, args[0], read)
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	fresh.flags(cmd)
	return cmd
}

func (o *options) export(cmd *cobra.Command, keyspace string, read cairn.Freshness) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
	format := o.output
	if format == render.Table {
		format = render.JSON
	}
	next := ""
	count := 0
	for {
		page, err := o.page(cmd.Context(), c, keyspace, next, read)
		if err != nil {
			_ = out.Flush() // what is printed is of use only if it is whole, so err is the one to tell
			return fmt.Errorf("after %s: %w", render.Counted(count, "entry", "entries"), err)
		}
		for _, entry := range page.Entries {
			if err := render.Line(out, format, records.NewRecord(o.keys, entry)); err != nil {
				return err
			}
		}
		count += len(page.Entries)
		if next = page.NextPageToken; next == "" {
			return out.Flush()
		}
	}
}

func (o *options) page(ctx context.Context, c *client.Client, keyspace, next string, read cairn.Freshness) (cairn.Page, error) {
	ctx, cancel := o.within(ctx)
	defer cancel()
	return c.List(ctx, keyspace, cairn.Range{PageSize: cairn.MaxBatch, PageToken: next}, read)
}
