package main

import (
	"context"

	"github.com/spf13/cobra"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

func newMovesReverse(o *options) *cobra.Command {
	var reason string
	var wait, asKept bool
	cmd := &cobra.Command{
		Use:   "reverse MOVE",
		Short: "Move a shard back to where a move took it from",
		Long: `Move a shard back to where a move took it from, with all that was written since.
It is a move like any other. While the former owner keeps what it had ('cairn
moves show' says until when), only what has changed since is copied.

--as-kept gives the shard back at once instead, as it was when it left: what has
been written since is lost. It is for a shard whose present owner has lost it, as
one that was restored from a backup of before the move, and says so: it is refused
while the owner serves the shard.`,
		Example: `  cairn moves reverse 00c3a1f09be24d57 --wait
  cairn moves reverse 00c3a1f09be24d57 --as-kept`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := moveName(args[0])
			if err != nil {
				return err
			}
			return o.changeMove(cmd, wait, func(ctx context.Context, c *client.Client) (*cairnv1.Move, error) {
				response, err := c.Admin().ReverseMove(ctx, &cairnv1.ReverseMoveRequest{Name: name, Reason: reason, AsKept: asKept})
				return response.GetMove(), err
			})
		},
	}
	clientFlags(cmd, o)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who look at the move later")
	cmd.Flags().BoolVar(&wait, "wait", false, "watch the move to its end")
	cmd.Flags().BoolVar(&asKept, "as-kept", false, "give the shard back at once, as it was when it left; later writes are lost")
	return cmd
}
