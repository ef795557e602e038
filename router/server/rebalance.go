package server

import (
	"bufio"
	"strconv"

	"google.golang.org/grpc"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
	"cairn/shardmap/plan"
)

// PlanRebalance streams a plan as the file that it is kept in.
func (a *administration) PlanRebalance(req *cairnv1.PlanRebalanceRequest, stream grpc.ServerStreamingServer[cairnv1.PlanRebalanceResponse]) error {
	options := admin.RebalanceOptions{Share: req.GetShare(), Moves: int(req.GetMoves())}
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
