package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"cairn/shardmap/nodeplan"
)

func newNodeDrain(o *options) *cobra.Command {
	w := &nodesWish{}
	cmd := &cobra.Command{
		Use:   "drain CLUSTER NODE",
		Short: "Move every entry of a node to the cluster's other nodes",
		Long: `Have a node get no new entries, and every entry of it go to the other nodes of its
cluster, as they would have been chosen without it. Once it has none left it can be
taken out of the cluster's manifest. What is drained already is left as it is.
` + howNodes,
		Example: `  cairn node drain north north-a --plan
  cairn node drain north north-a --wait`,
		Args: arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.request.Cluster, w.request.Wish, w.request.Node = clusterName(args[0]), string(nodeplan.Drain), args[1]
			w.leavesNobody = fmt.Sprintf("no entry is on node %s of cluster %s", args[1], args[0])
			return o.carryOut(cmd, w)
		},
	}
	w.flags(cmd, o)
	return cmd
}
