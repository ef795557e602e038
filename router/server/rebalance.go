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
	pieces := planPieces(func(data []byte) error { return stream.Send(&cairnv1.PlanRebalanceResponse{Data: data}) })
	// Write flushes it: a bufio.Writer over one that is as large is that one.
	return plan.Write(bufio.NewWriterSize(pieces, messageBytes), made)
}

// planPieces sends each write as a piece of a plan.
type planPieces func(data []byte) error

func (send planPieces) Write(data []byte) (int, error) { return len(data), send(data) }

// maxPlanBytes bounds a plan that is to be carried out.
const maxPlanBytes = 64 << 20

// receivePlan is a plan that comes in pieces.
func receivePlan(next func() ([]byte, error)) (*bytes.Buffer, error) {
	file := new(bytes.Buffer)
	for {
		data, err := next()
		if errors.Is(err, io.EOF) {
			return file, nil
		}
		if err != nil {
			return nil, err
		}
		if file.Len()+len(data) > maxPlanBytes {
			return nil, cairn.Invalid("data", "PLAN_TOO_LARGE", "a plan of more than %d bytes; plan fewer moves at once", maxPlanBytes)
		}
		file.Write(data)
	}
}

// ApplyRebalance carries out the plan that it receives.
func (a *administration) ApplyRebalance(stream grpc.ClientStreamingServer[cairnv1.ApplyRebalanceRequest, cairnv1.ApplyRebalanceResponse]) error {
	file, err := receivePlan(func() ([]byte, error) {
		piece, err := stream.Recv()
		return piece.GetData(), err
	})
	if err != nil {
		return err
	}
	p, err := plan.Read(file)
	if err != nil {
		return err
	}
	applied, err := a.admin.ApplyPlan(stream.Context(), p, callerName(stream.Context()))
	if err != nil {
		return err
	}
	out := &cairnv1.ApplyRebalanceResponse{Steps: int32(applied.Steps)}
	for _, move := range applied.Moves {
		out.Moves = append(out.Moves, moveName(move))
	}
	return stream.SendAndClose(out)
}
