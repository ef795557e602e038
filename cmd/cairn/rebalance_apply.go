package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/client"
	"cairn/shardmap/plan"
)

// appliedDocument is what an applied plan is shown as.
type appliedDocument struct {
	Steps int      `json:"steps"`
	Moves []string `json:"moves"`
}

// applyPlanFile carries the plan in a file out.
func (o *options) applyPlanFile(cmd *cobra.Command, path string, wait bool) error {
	file, err := os.Open(path)
	if err != nil {
		return cairn.Invalid("apply", "PLAN_UNREADABLE", "%w", err)
	}
	defer file.Close()
	p, err := plan.Read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return o.applyPlan(cmd, p, wait)
}

// applyPlan has the router carry a plan out, and watches its moves if asked to.
func (o *options) applyPlan(cmd *cobra.Command, p *plan.Plan, wait bool) error {
	var response *cairnv1.ApplyRebalanceResponse
	err := o.asking(cmd, func(ctx context.Context, c *client.Client) (err error) {
		response, err = applyRebalance(ctx, c.Admin(), p)
		return err
	})
	if err != nil {
		return err
	}
	return o.watchBegun(cmd, int(response.GetSteps()), response.GetMoves(), wait)
}

// watchBegun says what showBegun does, or watches the moves to their end.
func (o *options) watchBegun(cmd *cobra.Command, steps int, begun []string, wait bool) error {
	if !wait {
		return o.showBegun(cmd, steps, begun)
	}
	moves, err := o.endOfMoves(cmd, begun)
	if err != nil {
		return err
	}
	return o.printMoves(cmd, newMovesDocument(moves), moves...)
}

// endOfMoves watches moves to their ends, one after the other.
func (o *options) endOfMoves(cmd *cobra.Command, names []string) ([]*cairnv1.Move, error) {
	moves := make([]*cairnv1.Move, len(names))
	for i, name := range names {
		var err error
		if moves[i], err = o.endOfMove(cmd, name); err != nil {
			return nil, err
		}
	}
	return moves, nil
}

// showBegun says how many steps of a plan were carried out, of which moves go on.
func (o *options) showBegun(cmd *cobra.Command, steps int, begun []string) error {
	d := appliedDocument{Steps: steps, Moves: make([]string, 0, len(begun))}
	for _, move := range begun {
		d.Moves = append(d.Moves, short(move))
	}
	return o.print(cmd, d, func(out io.Writer) error {
		text := render.Counted(len(d.Moves), "move", "moves") + " begun; 'cairn moves list' shows how they get on"
		if done := d.Steps - len(d.Moves); done > 0 || d.Steps == 0 {
			text = render.Counted(done, "split or merge", "splits and merges") + " done, " + text
		}
		_, err := fmt.Fprintln(out, text)
		return err
	})
}

func applyRebalance(ctx context.Context, admin cairnv1.AdminClient, p *plan.Plan) (*cairnv1.ApplyRebalanceResponse, error) {
	var file bytes.Buffer
	if err := plan.Write(&file, p); err != nil {
		return nil, err
	}
	stream, err := admin.ApplyRebalance(ctx)
	if err != nil {
		return nil, rpcerr.From("", err)
	}
	sendPlan(&file, func(data []byte) error { return stream.Send(&cairnv1.ApplyRebalanceRequest{Data: data}) })
	response, err := stream.CloseAndRecv()
	if err != nil {
		return nil, rpcerr.From("", err)
	}
	return response, nil
}
