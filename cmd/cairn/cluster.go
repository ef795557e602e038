package main

import "github.com/spf13/cobra"

func newCluster(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Look after the replicas of a cluster's index",
		Args:  arguments(0, 0),
	}
	cmd.AddCommand(newReplicas(o))
	return cmd
}
