package main

import (
	"context"

	"github.com/spf13/cobra"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

func newIsolate(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "isolate KEYSPACE KEY",
		Short: "Give a key, and all that is placed with it, a shard of its own",
		Long: `Give a key, and all keys that are placed where it is, a shard of their own; it
stays with its cluster, and no entry moves. A hot key can then be moved, or
pinned, by itself.`,
		Example: "  cairn shards isolate orders customer-17",
		Args:    arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := o.keys.Key(args[1])
			if err != nil {
				return err
			}
			return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				declared, err := c.Admin().GetKeyspace(ctx, &cairnv1.GetKeyspaceRequest{Name: keyspaceName(args[0])})
				if err != nil {
					return err
				}
				response, err := c.Admin().IsolateKey(ctx, &cairnv1.IsolateKeyRequest{Parent: keyspaceName(args[0]), Key: key})
				if err != nil {
					return err
				}
				return o.printShards(cmd, schemeOf(declared), []*cairnv1.Shard{response.GetShard()})
			})
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	return cmd
}
