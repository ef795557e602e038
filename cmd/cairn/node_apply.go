package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/shardmap/nodeplan"
)

func newNodeApply(o *options) *cobra.Command {
	var wait bool
	var reason string
	cmd := &cobra.Command{
		Use:   "apply PLANFILE",
		Short: "Carry out a plan for the nodes of a cluster",
		Long: `Carry out a plan that 'cairn node drain', 'replace' or 'rebalance' kept with --plan
--out. It is refused if the cluster or a shard that it touches has changed since.`,
		Example: "  cairn node apply plan.json --wait",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return cairn.Invalid("plan", "PLAN_UNREADABLE", "%w", err)
			}
			defer file.Close()
			p, err := nodeplan.Read(file)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			begun, err := o.applyNodes(cmd, p, reason)
			if err != nil {
				return err
			}
			return o.watchBegun(cmd, len(p.Steps), begun, wait)
		},
	}
	clientFlags(cmd, o)
	cmd.Flags().BoolVar(&wait, "wait", false, "watch the moves to their end")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who look at the moves later")
	return cmd
}
