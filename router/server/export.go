package server

import (
	"errors"

	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// ExportView streams one cluster's part of a view.
func (a *administration) ExportView(req *cairnv1.ExportViewRequest, stream grpc.ServerStreamingServer[cairnv1.ExportViewResponse]) error {
	view, err := viewName("name", req.GetName())
	if err != nil {
		return err
	}
	cluster, err := clusterName("cluster", req.GetCluster())
	if err != nil {
		return err
	}
	err = a.views.ExportView(stream.Context(), view, cluster, func(whole cairn.ExportPiece) error {
		for piece := range whole.Split() {
			response := &cairnv1.ExportViewResponse{Bitmap: piece.Bitmap, Index: piece.Index}
			if len(piece.Keys) > 0 {
				response.Keys = make([][]byte, len(piece.Keys))
				for i, key := range piece.Keys {
					response.Keys[i] = key
				}
			}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
		return nil
	})
	if e, ok := errors.AsType[*cairn.Error](err); ok && e.Field == "view" {
		named := *e
		named.Field = "name"
		return &named
	}
	return err
}
