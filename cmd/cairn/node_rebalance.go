package main

import (
	"github.com/spf13/cobra"

	"cairn"
	"cairn/shardmap/nodeplan"
)

func newNodeRebalance(o *options) *cobra.Command {
	w := &nodesWish{}
	cmd := &cobra.Command{
		Use:   "rebalance CLUSTER",
		Short: "Give every node of a cluster its share of the entries",
		Long: `Have active nodes with more entries than their share by weight give some to those with
less, as after a node was added or weights were changed, which by themselves move
nothing. No more entries change nodes than have to.
` + howNodes,
		Example: `  cairn node rebalance north --plan
  cairn node rebalance north --share 0.1 --wait`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if w.moves < 1 && cmd.Flags().Changed("moves") {
				return cairn.Invalid("moves", "SETTING_OUT_OF_RANGE", "%d; it is at least 1", w.moves)
			}
			if w.share <= 0 {
				return cairn.Invalid("share", "SETTING_OUT_OF_RANGE", "%v; it is above 0 and at most 1", w.share)
			}
			w.request.Cluster, w.request.Wish, w.request.Share, w.request.Moves = clusterName(args[0]), string(nodeplan.Rebalance), w.share, w.moves
			w.leavesNobody = "every node of cluster " + args[0] + " has about its share"
			return o.carryOut(cmd, w)
		},
	}
	w.flags(cmd, o)
	cmd.Flags().Float64Var(&w.share, "share", 1, "the most of the cluster's entries to change nodes")
	cmd.Flags().Int32Var(&w.moves, "moves", 0, "the most shards in which entries change nodes (default any number)")
	return cmd
}
