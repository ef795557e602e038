package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"cairn/shardmap/nodeplan"
)

func newNodeReplace(o *options) *cobra.Command {
	w := &nodesWish{}
	cmd := &cobra.Command{
		Use:   "replace CLUSTER OLD NEW",
		Short: "Have another node take a node's place in every entry",
		Long: `Have node OLD get no new entries, and node NEW of the same cluster take its place in
every entry. An entry that is on NEW already gets another node in the place of OLD.
` + howNodes,
		Example: "  cairn node replace north north-a north-d --wait",
		Args:    arguments(3, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.request.Cluster, w.request.Wish, w.request.Node, w.request.By = clusterName(args[0]), string(nodeplan.Replace), args[1], args[2]
			w.leavesNobody = fmt.Sprintf("no entry is on node %s of cluster %s", args[1], args[0])
			return o.carryOut(cmd, w)
		},
	}
	w.flags(cmd, o)
	return cmd
}
