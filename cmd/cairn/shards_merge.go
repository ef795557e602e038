package main

import (
	"context"

	"github.com/spf13/cobra"

	cairnv1 "cairn/proto/cairn/v1"
)

func newMerge(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "merge KEYSPACE/ID",
		Short: "Join a shard with the one after it, both of one cluster",
		Long: `Join a shard with the one after it in the order of 'cairn shards'. Both must
belong to one cluster (else exit code 3).`,
		Example: "  cairn shards merge runways/17",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.changing(cmd, args[0], func(ctx context.Context, admin cairnv1.AdminClient, name string) ([]*cairnv1.Shard, error) {
				response, err := admin.MergeShards(ctx, &cairnv1.MergeShardsRequest{Name: name})
				return []*cairnv1.Shard{response.GetShard()}, err
			})
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	return cmd
}
