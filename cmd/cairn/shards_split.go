package main

import (
	"context"

	"github.com/spf13/cobra"

	cairnv1 "cairn/proto/cairn/v1"
)

func newSplit(o *options) *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "split KEYSPACE/ID",
		Short: "Divide a shard in two, both with the same cluster",
		Long: `Divide a shard in two; both stay with its cluster, and no entry moves. With
--at the second half begins at the placement key of a key; a shard that is
placed by hash divides in its middle without, one by range needs it.`,
		Example: `  cairn shards split runways/17
  cairn shards split orders/3 --at 2026-07`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request := &cairnv1.SplitShardRequest{}
			if cmd.Flags().Changed("at") {
				key, err := o.keys.Key(at)
				if err != nil {
					return err
				}
				request.At = &cairnv1.SplitShardRequest_Key{Key: key}
			}
			return o.changing(cmd, args[0], func(ctx context.Context, admin cairnv1.AdminClient, name string) ([]*cairnv1.Shard, error) {
				request.Name = name
				response, err := admin.SplitShard(ctx, request)
				return []*cairnv1.Shard{response.GetLeft(), response.GetRight()}, err
			})
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	cmd.Flags().StringVar(&at, "at", "", "the `KEY` whose placement key begins the second half")
	return cmd
}
