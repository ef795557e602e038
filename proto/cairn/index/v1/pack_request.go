package indexv1

import (
	"time"

	"cairn"
)

// SetRequestID writes a request's id, if it has one, and the positions of its
// mutations.
func (x *WriteRequest) SetRequestID(req *cairn.WriteRequest) {
	if req.RequestID.IsZero() {
		return
	}
	x.RequestId, x.IssueMicros = req.RequestID.ID[:], req.RequestID.Issued.UnixMicro()
	inOrder := true
	for i := range req.Mutations {
		inOrder = inOrder && req.Mutations[i].Position == uint32(i)
	}
	if inOrder {
		return
	}
	x.Positions = make([]uint32, len(req.Mutations))
	for i := range req.Mutations {
		x.Positions[i] = req.Mutations[i].Position
	}
}

// DecodeRequestID reads what SetRequestID wrote, and gives the mutations their
// positions. It is KindCorrupt (MESSAGE_BROKEN) for anything else.
func (x *WriteRequest) DecodeRequestID(mutations []cairn.Mutation) (cairn.RequestID, error) {
	var id cairn.RequestID
	if len(x.GetRequestId()) == 0 {
		return id, nil
	}
	copy(id.ID[:], x.GetRequestId())
	if len(x.GetRequestId()) != len(id.ID) || id.IsZero() {
		return cairn.RequestID{}, broken("request id")
	}
	id.Issued = time.UnixMicro(x.GetIssueMicros()).UTC()
	positions := x.GetPositions()
	if len(positions) > 0 && len(positions) != len(mutations) {
		return cairn.RequestID{}, broken("positions")
	}
	for i := range mutations {
		mutations[i].Position = uint32(i)
		if len(positions) > 0 {
			mutations[i].Position = positions[i]
		}
		if i > 0 && mutations[i].Position <= mutations[i-1].Position {
			return cairn.RequestID{}, broken("positions")
		}
	}
	return id, nil
}
