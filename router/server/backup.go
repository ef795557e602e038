package server

import (
	"google.golang.org/grpc"

	cairnv1 "cairn/proto/cairn/v1"
)

// BackupCluster streams a backup of a cluster's node index.
func (a *administration) BackupCluster(req *cairnv1.BackupClusterRequest, stream grpc.ServerStreamingServer[cairnv1.BackupClusterResponse]) error {
	name, err := clusterName("name", req.GetName())
	if err != nil {
		return err
	}
	return inField("name", a.admin.BackupCluster(stream.Context(), name, func(data []byte) error {
		return stream.Send(&cairnv1.BackupClusterResponse{Data: data})
	}))
}
