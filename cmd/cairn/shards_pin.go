package main

import (
	"context"

	"github.com/spf13/cobra"

	cairnv1 "cairn/proto/cairn/v1"
)

func newPin(o *options) *cobra.Command {
	return o.pinning("pin", "Have plans leave a shard where it is", true)
}

func newUnpin(o *options) *cobra.Command {
	return o.pinning("unpin", "Let plans move a shard again", false)
}

func (o *options) pinning(verb, does string, pinned bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:     verb + " KEYSPACE/ID",
		Short:   does,
		Example: "  cairn shards " + verb + " runways/17",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.changing(cmd, args[0], func(ctx context.Context, admin cairnv1.AdminClient, name string) ([]*cairnv1.Shard, error) {
				response, err := admin.PinShard(ctx, &cairnv1.PinShardRequest{Name: name, Pinned: pinned})
				return []*cairnv1.Shard{response.GetShard()}, err
			})
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	return cmd
}
