package main

import (
	"slices"

	"github.com/spf13/cobra"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/shardmap/plan"
)

func newDrain(o *options) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "drain CLUSTER",
		Short: "Move every shard of a cluster to the others",
		Long: `Plan where the shards of a cluster go, by the room that the others have, and begin
to move them, as by 'cairn rebalance'. What stays is listed with its reason. Set the
cluster's weight to 0 in its manifest as well, or new keyspaces and later plans give
it shards again.

Ending this command does not end the moves; with --wait they are watched to their
end, one after the other.`,
		Example: "  cairn drain north --wait",
		Args:    arguments(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.drain(cmd, args[0], wait) },
	}
	clientFlags(cmd, o)
	cmd.Flags().BoolVar(&wait, "wait", false, "watch the moves to their end")
	return cmd
}

func (o *options) drain(cmd *cobra.Command, cluster string, wait bool) error {
	p, err := o.askForRebalance(cmd, &cairnv1.PlanRebalanceRequest{Drain: []string{clusterName(cluster)}, Share: 1})
	if err != nil {
		return err
	}
	// What would even out the others is not asked for.
	p.Steps = slices.DeleteFunc(p.Steps, func(s plan.Step) bool { return s.Kind != plan.Move || s.From != cluster })
	stays := false
	for _, h := range p.Held {
		if h.Cluster == cluster {
			note(cmd, "%s", h)
			stays = true
		}
	}
	if len(p.Steps) == 0 {
		if stays {
			return cairn.Errorf(cairn.KindPrecondition, "NOTHING_MOVES", "nothing of cluster %s can be moved now", cluster)
		}
		note(cmd, "cluster %s owns no shard", cluster)
		return nil
	}
	return o.applyPlan(cmd, p, wait)
}
