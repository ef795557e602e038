package replica

import (
	"context"
	"time"

	"cairn"
	"cairn/nodeindex/pace"
)

// AskView answers a question about a view from a state as fresh as the request
// asks, as Locate does.
func (r *Replica) AskView(ctx context.Context, request *cairn.ViewRequest) (*cairn.ViewReply, error) {
	if err := r.freshWhole(ctx, request.Read); err != nil {
		return nil, err
	}
	reply := new(cairn.ViewReply)
	return reply, r.index.AskView(request, reply)
}

// ExportView delivers all members of a view, of one state as fresh as the
// request asks.
func (r *Replica) ExportView(ctx context.Context, request *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error {
	if err := r.freshWhole(ctx, request.Read); err != nil {
		return err
	}
	return r.index.ExportView(request, func(piece cairn.ExportPiece) error {
		if err := ctx.Err(); err != nil {
			return cairn.Errorf(cairn.KindDeadline, "DEADLINE_EXCEEDED", "exporting a view: %w", err)
		}
		return deliver(piece)
	})
}

// savePause is the wait after an image that could not be written.
const savePause = time.Minute

// tendViews builds views, and sweeps them, until the replica closes.
func (r *Replica) tendViews() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var saveAfter time.Time
	warned := map[string]bool{}
	var pacer pace.Pacer
	for {
		for r.ctx.Err() == nil && r.index.Work() {
			pacer.Look()
		}
		if r.index.CheckpointWanted() {
			r.checkpointSoon()
		}
		if err := r.index.FillViews(r.ctx); err != nil && r.ctx.Err() == nil {
			r.config.Logger.Error("views can't be made yet", "err", err)
		}
		if now := time.Now(); r.refusals.get() == nil && now.After(saveAfter) {
			if err := r.index.SaveViews(); err != nil && r.ctx.Err() == nil {
				saveAfter = now.Add(savePause)
				r.config.Logger.Warn("an image of the views could not be written; the next start will take longer", "err", err)
			}
		}
		for _, name := range r.index.WideAttributes() {
			if !warned[name] {
				warned[name] = true
				r.config.Logger.Warn("an attribute has very many different strings; the views take more memory, and conditions on it read every entry. Declare it with index: none if nobody asks for it", "attribute", name)
			}
		}
		select {
		case <-r.index.WorkDue():
		case <-tick.C:
		case <-r.ctx.Done():
			return
		}
	}
}
