package client

import (
	"context"
	"errors"
	"io"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

// BackupCluster delivers a backup of a cluster's node index, in pieces of one
// file, which ends with a checksum. It is tried again only while nothing has
// come, and for no longer than Options.Timeout if ctx has no deadline; what
// comes then may take its time. It fails with the error of deliver.
func (c *Client) BackupCluster(ctx context.Context, cluster string, deliver func(data []byte) error) error {
	trying, cancel := c.bound(ctx)
	defer cancel()
	for try := 1; ; try++ {
		begun, err := c.backupOnce(ctx, cluster, deliver)
		if failure, own := errors.AsType[*delivering](err); own {
			return failure.err
		}
		if err == nil {
			return nil
		}
		refusal := rpcerr.From(c.address, err)
		if refusal.Kind != cairn.KindUnavailable || begun || !pause(trying, try) {
			return inField(refusal, "name", "cluster")
		}
	}
}

// backupOnce receives until the connection breaks. It tells whether anything
// came.
func (c *Client) backupOnce(ctx context.Context, cluster string, deliver func(data []byte) error) (begun bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.admin.BackupCluster(ctx, &cairnv1.BackupClusterRequest{Name: clusterPrefix + cluster})
	if err != nil {
		return false, err
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return begun, nil
		}
		if err != nil {
			return begun, err
		}
		begun = true
		if err := deliver(resp.GetData()); err != nil {
			return begun, &delivering{err}
		}
	}
}
