package fleet

import (
	"cairn"
	fleetv1 "cairn/proto/cairn/fleet/v1"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/router"
)

func encodePart(part *router.Part) *fleetv1.AskRequest {
	return &fleetv1.AskRequest{
		Cluster: uint64(part.Cluster), ClusterRevision: part.ClusterRevision, Fingerprint: uint64(part.Shards), Pinned: part.Pinned,
		Question: indexv1.NewQuestion(&part.ViewRequest),
	}
}

func decodePart(message *fleetv1.AskRequest) (*router.Part, error) {
	part := &router.Part{
		Cluster: cairn.UID(message.GetCluster()), ClusterRevision: message.GetClusterRevision(),
		Shards: cairn.Fingerprint(message.GetFingerprint()), Pinned: message.GetPinned(),
	}
	return part, indexv1.DecodeQuestion(message.GetQuestion(), &part.ViewRequest)
}
