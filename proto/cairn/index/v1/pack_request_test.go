package indexv1

import (
	"slices"
	"testing"
	"time"

	"cairn"
)

func TestRequestID(t *testing.T) {
	id := cairn.RequestID{ID: [16]byte{1, 2}, Issued: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	for _, positions := range [][]uint32{{0, 1, 2}, {3, 4, 9000}, {}} {
		req := &cairn.WriteRequest{RequestID: id, Mutations: make([]cairn.Mutation, len(positions))}
		for i := range positions {
			req.Mutations[i].Position = positions[i]
		}
		var message WriteRequest
		message.SetRequestID(req)
		got := make([]cairn.Mutation, len(positions))
		if decoded, err := message.DecodeRequestID(got); err != nil || decoded != id || !slices.EqualFunc(got, positions, func(m cairn.Mutation, p uint32) bool { return m.Position == p }) {
			t.Errorf("%v became %+v of %v, %v", positions, got, decoded, err)
		}
	}
	var none WriteRequest
	none.SetRequestID(&cairn.WriteRequest{Mutations: make([]cairn.Mutation, 2)})
	if decoded, err := none.DecodeRequestID(make([]cairn.Mutation, 2)); err != nil || !decoded.IsZero() || none.Positions != nil {
		t.Errorf("no id became %v, %v", decoded, err)
	}
	for name, message := range map[string]*WriteRequest{
		"a short id":             {RequestId: make([]byte, 15)},
		"an id of zeros":         {RequestId: make([]byte, 16)},
		"too few positions":      {RequestId: id.ID[:], Positions: []uint32{1}},
		"a position twice":       {RequestId: id.ID[:], Positions: []uint32{1, 1}},
		"positions not in order": {RequestId: id.ID[:], Positions: []uint32{2, 1}},
	} {
		if _, err := message.DecodeRequestID(make([]cairn.Mutation, 2)); cairn.ReasonOf(err) != "MESSAGE_BROKEN" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
