package indexv1

import "cairn"

// EncodeCheck and VerifyShardResponse.Decode are opposites.
func EncodeCheck(c cairn.ShardCheck) *VerifyShardResponse {
	return &VerifyShardResponse{
		Index: c.Index, Epoch: c.Epoch, Start: c.Start, End: c.End, Withheld: c.Withheld, Kept: encodeDigest(c.Kept), Counted: encodeDigest(c.Counted),
	}
}

// Decode is the check that the message says.
func (m *VerifyShardResponse) Decode() cairn.ShardCheck {
	return cairn.ShardCheck{
		Index: m.GetIndex(), Epoch: m.GetEpoch(), Start: m.GetStart(), End: m.GetEnd(), Withheld: m.GetWithheld(),
		Kept: m.GetKept().decode(), Counted: m.GetCounted().decode(),
	}
}
