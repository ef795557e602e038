package nodeindex

import (
	"bytes"

	"cairn"
)

const (
	// exportBytes is about how much of a bitmap or of keys a piece has.
	exportBytes = 256 << 10
	exportKeys  = 4096
)

// ExportView delivers the members of a version of a view: their ordinals as a
// bitmap in Roaring's portable 32-bit format, then their keys in the bitmap's
// order, in pieces, all of one state. It fails as AskView does, and with what
// deliver fails with.
func (x *Index) ExportView(req *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error {
	applied, _ := x.Position()
	s := x.state.Load()
	if s == nil {
		return errClosed
	}
	p := s.projections[req.Keyspace]
	if p == nil {
		return cairn.Errorf(cairn.KindNotFound, "VIEW_VERSION_UNKNOWN", "this index has no version %d of view %s", req.Version, req.View)
	}
	snapshot, members, key, err := p.Export(max(applied, s.assigned), req)
	if err != nil {
		return err
	}
	var encoded bytes.Buffer
	if _, err := members.WriteTo(&encoded); err != nil {
		return cairn.Errorf(cairn.KindInternal, "BITMAP", "the view's bitmap can't be encoded: %w", err)
	}
	for encoded.Len() > 0 {
		if err := deliver(cairn.ExportPiece{Answer: snapshot.Answer, Bitmap: encoded.Next(exportBytes)}); err != nil {
			return err
		}
	}
	piece, size := cairn.ExportPiece{Answer: snapshot.Answer}, 0
	for it := members.Iterator(); it.HasNext(); {
		next := key(it.Next())
		piece.Keys = append(piece.Keys, next)
		if size += len(next); size < exportBytes && len(piece.Keys) < exportKeys && it.HasNext() {
			continue
		}
		if err := deliver(piece); err != nil {
			return err
		}
		piece.Keys, size = nil, 0
	}
	return nil
}
