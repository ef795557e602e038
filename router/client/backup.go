package client

import (
	"context"

	"google.golang.org/grpc"

	cairnv1 "cairn/proto/cairn/v1"
)

// BackupCluster delivers a backup of a cluster's node index, in pieces of one
// file, which ends with a checksum. It is tried again only while nothing has
// come, and for no longer than Options.Timeout if ctx has no deadline; what
// comes then may take its time. It fails with the error of deliver.
func (c *Client) BackupCluster(ctx context.Context, cluster string, deliver func(data []byte) error) error {
	return download(ctx, c, "cluster", func(ctx context.Context) (grpc.ServerStreamingClient[cairnv1.BackupClusterResponse], error) {
		return c.admin.BackupCluster(ctx, &cairnv1.BackupClusterRequest{Name: clusterPrefix + cluster})
	}, func(m *cairnv1.BackupClusterResponse) error { return deliver(m.GetData()) })
}
