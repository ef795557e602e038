package peer

import (
	"context"

	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// Backup delivers the pieces of a backup that the index server makes, to the
// last one. It fails with the server's own errors, KindDeadline when ctx ends,
// KindUnavailable where the server can't be reached or the connection breaks
// (what was delivered is no use then), and with the error of deliver.
func (p *Peer) Backup(ctx context.Context, cluster string, deliver func(data []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := p.index.Backup(ctx, &indexv1.BackupRequest{Cluster: cluster})
	if err != nil {
		return rpcerr.From(p.address, err)
	}
	return receive(p.address, stream, func(m *indexv1.BackupResponse) error { return deliver(m.GetData()) })
}
