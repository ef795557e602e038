package bed

import (
	"context"

	"cairn"
)

// AskView and ExportView are being built.
func (*Index) AskView(context.Context, *cairn.ViewRequest) (*cairn.ViewReply, error) {
	return nil, cairn.Errorf(cairn.KindUnimplemented, "VIEWS", "views are not served yet")
}

func (*Index) ExportView(context.Context, *cairn.ExportRequest, func(cairn.ExportPiece) error) error {
	return cairn.Errorf(cairn.KindUnimplemented, "VIEWS", "views are not served yet")
}
