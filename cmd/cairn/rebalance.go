package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/shardmap/plan"
)

func newRebalance(o *options) *cobra.Command {
	var planOnly, wait bool
	var apply, out string
	var drain []string
	var moves int32
	request := &cairnv1.PlanRebalanceRequest{}
	cmd := &cobra.Command{
		Use:   "rebalance --plan | --apply PLANFILE",
		Short: "Give every cluster its fair share of entries or load, by a plan",
		Long: `With --plan, plan which splits, merges and moves of shards would even out the
entries of all clusters, or with --by load their reads and writes, by their
capacity: a cluster's weight, less what its nodes that are not active would have
carried. Nothing is changed. A cluster whose index does not answer is left out.

Each step has its reason and what it does to the imbalance, which is the fullest
cluster's share relative to a fair one. Pinned shards, those that were moved in
the last ten minutes and keyspaces without a mover stay; what is held up by that
is listed. What a split makes movable is for the next plan.

--out keeps the plan in a file, one line a step, that can be compared with
another.

With --apply, carry such a file out, exactly: splits and merges at once, moves as
by 'cairn move'. It is refused if anything that it touches has changed since it was
made. Ending this command does not end the moves; with --wait they are watched to
their end, one after the other.`,
		Example: `  cairn rebalance --plan
  cairn rebalance --plan --drain north --out plan.json
  cairn rebalance --apply plan.json --wait`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if planOnly == (apply != "") {
				return cairn.Invalid("plan", "PLAN_NEEDED", "say --plan to see a plan, or --apply with the file of one to carry it out")
			}
			if apply != "" {
				return o.applyPlanFile(cmd, apply, wait)
			}
			if cmd.Flags().Changed("moves") && moves < 1 {
				return cairn.Invalid("moves", "SETTING_OUT_OF_RANGE", "%d; it is at least 1", moves)
			}
			request.Moves = moves
			for _, name := range drain {
				request.Drain = append(request.Drain, clusterName(name))
			}
			return o.planRebalance(cmd, request, out)
		},
	}
	clientFlags(cmd, o)
	cmd.Flags().BoolVar(&planOnly, "plan", false, "plan, and change nothing")
	cmd.Flags().StringVar(&apply, "apply", "", "carry out the plan in a `FILE`")
	cmd.Flags().BoolVar(&wait, "wait", false, "with --apply, watch the moves to their end")
	cmd.Flags().StringVar(&out, "out", "", "a `FILE` to keep the plan in")
	cmd.Flags().StringSliceVar(&drain, "drain", nil, "a `CLUSTER` to be emptied; may be repeated")
	cmd.Flags().Float64Var(&request.Share, "share", 0.09, "the most of a keyspace's entries to be moved")
	cmd.Flags().StringVar(&request.By, "by", "entries", "what is evened out: entries, or load, which is reads and writes a second")
	cmd.Flags().Int32Var(&moves, "moves", 0, "the most moves (default any number)")
	for _, planning := range []string{"out", "drain", "share", "moves", "by"} {
		cmd.MarkFlagsMutuallyExclusive("apply", planning)
	}
	cmd.MarkFlagsMutuallyExclusive("plan", "wait")
	return cmd
}

func (o *options) planRebalance(cmd *cobra.Command, request *cairnv1.PlanRebalanceRequest, path string) error {
	made, err := o.askForRebalance(cmd, request)
	if err != nil {
		return err
	}
	printed, err := keepPlan(cmd, path, func(out io.Writer) error { return plan.Write(out, made) })
	if err != nil || printed {
		return err
	}
	return o.print(cmd, made, func(out io.Writer) error { return writePlan(out, made) })
}

// askForRebalance receives a plan as a whole, or fails.
func (o *options) askForRebalance(cmd *cobra.Command, request *cairnv1.PlanRebalanceRequest) (*plan.Plan, error) {
	return askForPlan(o, cmd, func(ctx context.Context, admin cairnv1.AdminClient) (planPieces[*cairnv1.PlanRebalanceResponse], error) {
		return admin.PlanRebalance(ctx, request)
	}, plan.Read)
}

func writePlan(out io.Writer, p *plan.Plan) error {
	grid := render.Grid{Header: []string{"STEP", "SHARD", "ENTRIES", "IMBALANCE", "WHAT", "WHY"}, Right: []int{2}}
	for _, s := range p.Steps {
		what := map[plan.StepKind]string{plan.Split: "at " + s.At.String(), plan.Merge: "with " + s.With.String(), plan.Move: s.From + " to " + s.To}[s.Kind]
		grid.Row(string(s.Kind), s.Keyspace+"/"+s.Shard.String(), render.Count(s.Entries), ratio(s.Before)+" to "+ratio(s.After), what, s.Reason)
	}
	if grid.Len() > 0 {
		if err := grid.Write(out); err != nil {
			return err
		}
	}
	for _, h := range p.Held {
		fmt.Fprintln(out, h)
	}
	_, err := fmt.Fprintln(out, p)
	return err
}

func ratio(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }
