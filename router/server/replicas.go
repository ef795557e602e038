package server

import (
	"context"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
)

func (a *administration) ListReplicas(ctx context.Context, req *cairnv1.ListReplicasRequest) (*cairnv1.ListReplicasResponse, error) {
	name, err := clusterName("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	replicas, err := a.admin.ListReplicas(ctx, name)
	if err != nil {
		return nil, inField("parent", err)
	}
	out := new(cairnv1.ListReplicasResponse)
	for i := range replicas {
		out.Replicas = append(out.Replicas, replicaMessage(&replicas[i]))
	}
	return out, nil
}

func replicaMessage(r *admin.ReplicaInfo) *cairnv1.Replica {
	out := &cairnv1.Replica{Address: r.Address, Declared: r.Declared, Role: roleOf(r.Member)}
	if r.Member != nil {
		out.Id = r.Member.ID
	}
	if r.Err != nil {
		out.Trouble = r.Err.Error()
	}
	if r.Identity != nil {
		out.Id, out.AppliedIndex, out.Revision, out.Trouble = r.Identity.ReplicaID, r.Identity.AppliedIndex, r.Identity.MapRevision, r.Identity.WriteRefusal
	}
	return out
}

func roleOf(m *cairn.Member) cairnv1.Replica_Role {
	switch {
	case m == nil:
		return cairnv1.Replica_WAITING
	case m.Leader:
		return cairnv1.Replica_LEADER
	case m.Voter:
		return cairnv1.Replica_VOTER
	}
	return cairnv1.Replica_LEARNER
}
