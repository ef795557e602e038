package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"

	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
	"cairn/shardmap/plan"
)

// PlanRebalance streams a plan as the file that it is kept in.
func (a *administration) PlanRebalance(req *cairnv1.PlanRebalanceRequest, stream grpc.ServerStreamingServer[cairnv1.PlanRebalanceResponse]) error {
	options := admin.RebalanceOptions{Share: req.GetShare(), Moves: int(req.GetMoves()), By: req.GetBy()}
	for i, resource := range req.GetDrain() {
		name, err := clusterName("drain["+strconv.Itoa(i)+"]", resource)
		if err != nil {
			return err
		}
		options.Drain = append(options.Drain, name)
	}
	made, err := a.admin.PlanRebalance(stream.Context(), options)
	if err != nil {
		return err
	}
	// Write flushes it: a bufio.Writer over one that is as large is that one.
	return plan.Write(bufio.NewWriterSize(planPieces{stream}, messageBytes), made)
}

// planPieces sends each write as a piece of a plan.
type planPieces struct {
	stream grpc.ServerStreamingServer[cairnv1.PlanRebalanceResponse]
}

func (p planPieces) Write(data []byte) (int, error) {
	return len(data), p.stream.Send(&cairnv1.PlanRebalanceResponse{Data: data})
}

// maxPlanBytes bounds a plan that is to be carried out.
const maxPlanBytes = 64 << 20

// ApplyRebalance carries out the plan that it receives.
func (a *administration) ApplyRebalance(stream grpc.ClientStreamingServer[cairnv1.ApplyRebalanceRequest, cairnv1.ApplyRebalanceResponse]) error {
	var file bytes.Buffer
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if file.Len()+len(piece.GetData()) > maxPlanBytes {
			return cairn.Invalid("data", "PLAN_TOO_LARGE", "a plan of more than %d bytes; plan fewer moves at once", maxPlanBytes)
		}
		file.Write(piece.GetData())
	}
	p, err := plan.Read(&file)
	if err != nil {
		return err
	}
	var who string
	if caller := CallerFrom(stream.Context()); caller != nil {
		who = caller.Name()
	}
	applied, err := a.admin.ApplyPlan(stream.Context(), p, who)
	if err != nil {
		return err
	}
	out := &cairnv1.ApplyRebalanceResponse{Steps: int32(applied.Steps)}
	for _, move := range applied.Moves {
		out.Moves = append(out.Moves, moveName(move))
	}
	return stream.SendAndClose(out)
}
