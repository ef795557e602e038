package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
	"cairn/shardmap"
)

func newMove(o *options) *cobra.Command {
	var to, reason string
	var wait bool
	var nodes map[string]string
	var keep time.Duration
	cmd := &cobra.Command{
		Use:   "move KEYSPACE/ID --to CLUSTER",
		Short: "Move a shard to another cluster while everyone keeps working",
		Long: `Begin to move a shard to another cluster, and say which move that is. It goes on
in whichever router carries moves out: ending this command stops nothing. With
--wait it is watched to its end (exit code 3 if it is cancelled), as by
'cairn moves watch'.

The index's entries move. The data behind them is moved by whom the keyspace
names ('mover: host:port' of a data mover, or 'mover: external', its owner);
without one no shard moves with which a key's node would change.

For a while the former owner keeps what it had, in as much memory and disk as
before: 'cairn moves reverse' then copies only what has changed since.`,
		Example: `  cairn move runways/17 --to south
  cairn move runways/17 --to south --wait --reason "north is full"
  cairn move runways/17 --to south --node-map north-a=south-a,north-b=south-b`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, name, err := shardName(args[0])
			if err != nil {
				return err
			}
			return o.changeMove(cmd, wait, func(ctx context.Context, c *client.Client) (*cairnv1.Move, error) {
				response, err := c.Admin().CreateMove(ctx, &cairnv1.CreateMoveRequest{Shard: name, To: clusterName(to), Reason: reason, Keep: durationpb.New(keep), NodeMap: nodes})
				return response.GetMove(), err
			})
		},
	}
	clientFlags(cmd, o)
	cmd.Flags().StringVar(&to, "to", "", "the `CLUSTER` that the shard goes to")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who look at the move later")
	cmd.Flags().DurationVar(&keep, "keep", shardmap.DefaultKeep, "how long the former owner keeps what it had, at most 24h")
	cmd.Flags().StringToStringVar(&nodes, "node-map", nil, "`OLD=NEW`,...: entries of node OLD go to node NEW of the target, which else chooses nodes as for new keys")
	cmd.Flags().BoolVar(&wait, "wait", false, "watch the move to its end")
	must(cmd.MarkFlagRequired("to"))
	return cmd
}
