package server

import (
	"bufio"

	"google.golang.org/grpc"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
	"cairn/shardmap/nodeplan"
)

// PlanNodes streams a plan as the file that it is kept in.
func (a *administration) PlanNodes(req *cairnv1.PlanNodesRequest, stream grpc.ServerStreamingServer[cairnv1.PlanNodesResponse]) error {
	cluster, err := clusterName("cluster", req.GetCluster())
	if err != nil {
		return err
	}
	made, err := a.admin.PlanNodes(stream.Context(), admin.NodesRequest{
		Cluster: cluster, Wish: nodeplan.Wish(req.GetWish()), Node: req.GetNode(), By: req.GetBy(), Share: req.GetShare(), Moves: int(req.GetMoves()),
	})
	if err != nil {
		return err
	}
	pieces := planPieces(func(data []byte) error { return stream.Send(&cairnv1.PlanNodesResponse{Data: data}) })
	out := bufio.NewWriterSize(pieces, messageBytes)
	if err := nodeplan.Write(out, made); err != nil {
		return err
	}
	return out.Flush()
}

// ApplyNodes carries out the plan that it receives.
func (a *administration) ApplyNodes(stream grpc.ClientStreamingServer[cairnv1.ApplyNodesRequest, cairnv1.ApplyNodesResponse]) error {
	var reason string
	file, err := receivePlan(func() ([]byte, error) {
		piece, err := stream.Recv()
		if reason == "" {
			reason = piece.GetReason()
		}
		return piece.GetData(), err
	})
	if err != nil {
		return err
	}
	p, err := nodeplan.Read(file)
	if err != nil {
		return err
	}
	applied, err := a.admin.ApplyNodes(stream.Context(), p, callerName(stream.Context()), reason)
	if err != nil {
		return err
	}
	out := new(cairnv1.ApplyNodesResponse)
	for _, move := range applied.Moves {
		out.Moves = append(out.Moves, moveName(move))
	}
	return stream.SendAndClose(out)
}
