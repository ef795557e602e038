package client

import (
	"strconv"
	"strings"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

// nodeTable is the nodes of a response, which its locations refer to by
// position.
type nodeTable struct {
	nodes    []cairn.Node
	clusters []string
}

func tableOf(refs []*cairnv1.NodeRef) nodeTable {
	t := nodeTable{make([]cairn.Node, len(refs)), make([]string, len(refs))}
	for i, ref := range refs {
		t.nodes[i] = cairn.Node{Name: ref.GetNode(), Address: ref.GetAddress(), Zone: ref.GetZone()}
		t.clusters[i] = ref.GetCluster()
	}
	return t
}

func (t nodeTable) at(position uint32) (*cairn.Node, string, error) {
	if int(position) >= len(t.nodes) {
		return nil, "", cairn.Errorf(cairn.KindInternal, "ANSWER_BROKEN", "the server refers to node %d of %d", position, len(t.nodes))
	}
	return &t.nodes[position], t.clusters[position], nil
}

func (t nodeTable) all(positions []uint32) ([]*cairn.Node, error) {
	if len(positions) == 0 {
		return nil, nil
	}
	out := make([]*cairn.Node, len(positions))
	for i, position := range positions {
		var err error
		if out[i], _, err = t.at(position); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t nodeTable) location(l *cairnv1.Location) (out cairn.Location, err error) {
	switch l.GetState() {
	case cairnv1.Location_NOT_FOUND:
		return cairn.Location{State: cairn.Absent}, nil
	case cairnv1.Location_ERROR:
		return cairn.Location{Err: rpcerr.FromProto(l.GetError())}, nil
	case cairnv1.Location_FOUND:
		out.State = cairn.Found
	default:
		return out, cairn.Errorf(cairn.KindInternal, "ANSWER_BROKEN", "the server answers with a state that this client does not know: %s", l.GetState())
	}
	if out.Primary, out.Cluster, err = t.at(l.GetPrimary()); err != nil {
		return out, err
	}
	if out.Replicas, err = t.all(l.GetReplicas()); err != nil {
		return out, err
	}
	out.Use = out.Primary
	if l.Use != nil {
		if out.Use, _, err = t.at(l.GetUse()); err != nil {
			return out, err
		}
	}
	out.Version, out.Epoch = wire.FromVersion(l.GetVersion()), l.GetEpoch()
	if out.Attributes, err = wire.FromValues(l.GetAttributes()); err != nil {
		return out, broken(err)
	}
	return out, nil
}

func (t nodeTable) entry(e *cairnv1.Entry) (out cairn.NamedEntry, err error) {
	out.Key, out.Version = e.GetKey(), wire.FromVersion(e.GetVersion())
	if out.Primary, out.Cluster, err = t.at(e.GetPrimary()); err != nil {
		return out, err
	}
	if out.Replicas, err = t.all(e.GetReplicas()); err != nil {
		return out, err
	}
	if out.Attributes, err = wire.FromValues(e.GetAttributes()); err != nil {
		return out, broken(err)
	}
	return out, nil
}

// bareName is the last part of a resource's name.
func bareName(resource string) string { return resource[strings.LastIndexByte(resource, '/')+1:] }

func shardID(resource string) (cairn.ShardID, error) {
	id, err := strconv.ParseUint(bareName(resource), 10, 64)
	if err != nil {
		return 0, cairn.Errorf(cairn.KindInternal, "ANSWER_BROKEN", "the server names a shard %q", resource)
	}
	return cairn.ShardID(id), nil
}
