package peer

import (
	"context"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// ExportView delivers the pieces that the index server sends, to the last one.
// It fails with the server's own errors, KindDeadline when ctx ends,
// KindUnavailable where the server can't be reached or the connection breaks
// (what was delivered is no use then), and with the error of deliver.
func (p *Peer) ExportView(ctx context.Context, req *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	message := &indexv1.ExportViewRequest{Read: new(indexv1.Read), View: uint64(req.View), Version: req.Version}
	fillRead(ctx, message.Read, req.Read)
	stream, err := p.index.ExportView(ctx, message)
	if err != nil {
		return rpcerr.From(p.address, err)
	}
	return receive(p.address, stream, func(m *indexv1.ExportViewResponse) (err error) {
		piece := cairn.ExportPiece{Answer: cairn.Answer{Revision: m.GetRevision(), Index: m.GetIndex()}, Bitmap: m.GetBitmap()}
		if packed := m.GetKeys(); len(packed) > 0 {
			if piece.Keys, err = indexv1.DecodeKeys(packed, nil); err != nil {
				return p.garbled(err)
			}
		}
		return deliver(piece)
	})
}
