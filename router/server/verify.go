package server

import (
	"context"

	cairnv1 "cairn/proto/cairn/v1"
)

func (a *administration) VerifyShard(ctx context.Context, req *cairnv1.VerifyShardRequest) (*cairnv1.VerifyShardResponse, error) {
	keyspace, id, err := parseShardName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	checks, err := a.admin.VerifyShard(ctx, keyspace, id)
	if err != nil {
		return nil, inField("name", err)
	}
	out := new(cairnv1.VerifyShardResponse)
	for _, c := range checks {
		out.Checks = append(out.Checks, &cairnv1.ShardCheck{
			What: c.What, Outcome: cairnv1.ShardCheck_Outcome(c.Outcome), Index: c.Index, Entries: c.Digest.Entries, Digest: c.Digest.Sum, Note: c.Note,
		})
	}
	return out, nil
}
