package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/client"
	"cairn/shardmap/nodeplan"
)

func newNode(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Drain, replace and even out the nodes of a cluster",
		Args:  arguments(0, 0),
	}
	cmd.AddCommand(newNodeDrain(o), newNodeReplace(o), newNodeRebalance(o), newNodeApply(o))
	return cmd
}

// nodesWish is what a verb asks for, and what is done with the plan.
type nodesWish struct {
	request      cairnv1.PlanNodesRequest
	plan, wait   bool
	out, reason  string
	share        float64
	moves        int32
	leavesNobody string // said where nothing has to be done
}

// howNodes is said of every verb that changes nodes.
const howNodes = `
Entries change nodes shard by shard, by moves that 'cairn moves' lists, watches and
cancels. Who moves the data behind them the keyspace says, as for 'cairn move': without
a mover nothing changes nodes, unless it is the same server. What stays is listed with
its reason.

With --plan, show what would be done and change nothing; --out keeps that in a file for
'cairn node apply'. Ending this command does not end the moves; with --wait they are
watched to their end, one after the other.`

// flags are those of every verb that plans.
func (w *nodesWish) flags(cmd *cobra.Command, o *options) {
	clientFlags(cmd, o)
	cmd.Flags().BoolVar(&w.plan, "plan", false, "plan, and change nothing")
	cmd.Flags().StringVar(&w.out, "out", "", "with --plan, a `FILE` to keep the plan in")
	cmd.Flags().StringVar(&w.reason, "reason", "", "why, for those who look at the moves later")
	cmd.Flags().BoolVar(&w.wait, "wait", false, "watch the moves to their end")
	cmd.MarkFlagsMutuallyExclusive("plan", "wait")
}

// carryOut plans, and shows the plan or carries it out. Where it waits for the end, and
// a node is left, what holds its shards is watched as well, and what is on it then is
// planned again, until nothing is.
func (o *options) carryOut(cmd *cobra.Command, w *nodesWish) error {
	if w.out != "" && !w.plan {
		return cairn.Invalid("out", "PLAN_NEEDED", "say --plan to keep a plan in a file")
	}
	var ended []*cairnv1.Move
	var before *nodeplan.Plan
	for first := true; ; first = false {
		p, err := o.askForNodes(cmd, &w.request)
		if err != nil {
			return err
		}
		if before != nil && !before.Partial() && p.Leaving() >= before.Leaving() && len(p.Steps) > 0 {
			return cairn.Errorf(cairn.KindPrecondition, "NO_NODE_LEFT", "%d entries stay on node %s: they are on every other node that takes entries already", p.Leaving(), p.Node)
		}
		before = p
		if w.plan {
			return o.showNodes(cmd, p, w.out)
		}
		under, stays := underWay(p)
		for _, h := range p.Held {
			note(cmd, "%s", h)
		}
		switch {
		case len(p.Steps) == 0 && stays != nil:
			return stays
		case len(p.Steps)+len(under) == 0:
			note(cmd, "%s", w.leavesNobody)
		}
		var begun []string
		if first || len(p.Steps) > 0 {
			if begun, err = o.applyNodes(cmd, p, w.reason); err != nil {
				return err
			}
		}
		again := w.wait && p.Node != ""
		if p.Partial() && !again {
			note(cmd, "of large shards a part changes nodes at once; repeat this for the rest")
		}
		if !w.wait {
			return o.showBegun(cmd, len(p.Steps), begun)
		}
		if again {
			begun = append(begun, under...)
		}
		moves, err := o.endOfMoves(cmd, begun)
		if err != nil {
			return err
		}
		if ended = append(ended, moves...); len(begun) == 0 || !again {
			return o.printMoves(cmd, newMovesDocument(ended), ended...)
		}
	}
}

// underWay are the moves that hold shards in which entries would change nodes, and why
// none of these can otherwise, nil if there is no other reason.
func underWay(p *nodeplan.Plan) (moves []string, stays error) {
	for _, h := range p.Held {
		switch {
		case h.Why == nodeplan.Moving:
			moves = append(moves, "moves/"+h.Move.String())
		case stays == nil:
			stays = heldNodes(p, h)
		}
	}
	return moves, stays
}

// heldNodes is why nothing of a plan can be done.
func heldNodes(p *nodeplan.Plan, h nodeplan.Held) error {
	if h.Why == nodeplan.NoMover {
		return cairn.Errorf(cairn.KindPrecondition, "MOVER_MISSING", "nothing of cluster %s can change nodes: %s", p.Cluster, h.Note)
	}
	return cairn.Errorf(cairn.KindPrecondition, "NOTHING_MOVES", "nothing of cluster %s can change nodes now: %s", p.Cluster, h.Note)
}

// askForNodes receives a plan as a whole, or fails.
func (o *options) askForNodes(cmd *cobra.Command, request *cairnv1.PlanNodesRequest) (*nodeplan.Plan, error) {
	return askForPlan(o, cmd, func(ctx context.Context, admin cairnv1.AdminClient) (planPieces[*cairnv1.PlanNodesResponse], error) {
		return admin.PlanNodes(ctx, request)
	}, nodeplan.Read)
}

// showNodes prints a plan, or keeps it in a file.
func (o *options) showNodes(cmd *cobra.Command, p *nodeplan.Plan, path string) error {
	printed, err := keepPlan(cmd, path, func(out io.Writer) error { return nodeplan.Write(out, p) })
	if err != nil || printed {
		return err
	}
	return o.print(cmd, p, func(out io.Writer) error {
		nodes := render.Grid{Header: []string{"NODE", "STATE", "WEIGHT", "ENTRIES", "AFTER"}, Right: []int{2, 3, 4}}
		for _, n := range p.Nodes {
			nodes.Row(n.Name, n.State, fmt.Sprint(n.Weight), render.Count(n.Before), render.Count(n.After))
		}
		if err := nodes.Write(out); err != nil {
			return err
		}
		steps := render.Grid{Header: []string{"SHARD", "ENTRIES", "CHANGING"}, Right: []int{1, 2}}
		for _, s := range p.Steps {
			steps.Row(s.Keyspace+"/"+s.Shard.String(), render.Count(s.Entries), render.Count(s.Leaving))
		}
		if steps.Len() > 0 {
			if err := steps.Write(out); err != nil {
				return err
			}
		}
		for _, h := range p.Held {
			fmt.Fprintln(out, h)
		}
		_, err := fmt.Fprintf(out, "%s: %s of %s\n", p, render.Counted(p.Leaving(), "entry", "entries"), render.Counted(len(p.Steps), "shard", "shards"))
		return err
	})
}

// applyNodes has the router carry a plan out, and returns its moves.
func (o *options) applyNodes(cmd *cobra.Command, p *nodeplan.Plan, reason string) (begun []string, err error) {
	var response *cairnv1.ApplyNodesResponse
	err = o.asking(cmd, func(ctx context.Context, c *client.Client) (err error) {
		response, err = sendNodes(ctx, c.Admin(), p, reason)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.Node != "" {
		note(cmd, "node %s gets no entries any more; say 'state: draining' in the manifest of cluster %s too, or the next apply changes that", p.Node, p.Cluster)
	}
	return response.GetMoves(), nil
}

func sendNodes(ctx context.Context, admin cairnv1.AdminClient, p *nodeplan.Plan, reason string) (*cairnv1.ApplyNodesResponse, error) {
	var file bytes.Buffer
	if err := nodeplan.Write(&file, p); err != nil {
		return nil, err
	}
	stream, err := admin.ApplyNodes(ctx)
	if err != nil {
		return nil, rpcerr.From("", err)
	}
	sendPlan(&file, func(data []byte) error { return stream.Send(&cairnv1.ApplyNodesRequest{Data: data, Reason: reason}) })
	response, err := stream.CloseAndRecv()
	if err != nil {
		return nil, rpcerr.From("", err)
	}
	return response, nil
}
