package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
)

type administration struct {
	cairnv1.UnimplementedAdminServer
	admin *admin.Admin
	views ViewExporter
}

// inField names the request's field in an error that does not say which part
// of the input it is about: that the resource is not there, mostly.
func inField(field string, err error) error {
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok || e.Field != "" || e.Kind != cairn.KindNotFound {
		return err
	}
	named := *e
	named.Field = field
	return &named
}

func (a *administration) Apply(ctx context.Context, req *cairnv1.ApplyRequest) (*cairnv1.ApplyResponse, error) {
	resources, err := declared(req.GetResources())
	if err != nil {
		return nil, err
	}
	applied, err := a.admin.Apply(ctx, resources, admin.ApplyOptions{ValidateOnly: req.GetValidateOnly(), Plan: req.GetPlan()})
	if err != nil {
		return nil, err
	}
	return &cairnv1.ApplyResponse{Changes: resourceChanges(applied.Changes), Plan: applied.Plan, Revision: applied.Revision}, nil
}

func (a *administration) GetKeyspace(ctx context.Context, req *cairnv1.GetKeyspaceRequest) (*cairnv1.Keyspace, error) {
	name, err := keyspaceName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	info, err := a.admin.GetKeyspace(ctx, name)
	if err != nil {
		return nil, inField("name", err)
	}
	return keyspaceMessage(info), nil
}

func (a *administration) ListKeyspaces(ctx context.Context, req *cairnv1.ListKeyspacesRequest) (*cairnv1.ListKeyspacesResponse, error) {
	after, limit, err := namePage(keyspacesPage, req.GetPageSize(), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	page, more, err := a.admin.ListKeyspaces(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	out := new(cairnv1.ListKeyspacesResponse)
	var fits pageRoom
	for i, info := range page {
		message := keyspaceMessage(info)
		if !fits.take(message) {
			page, more = page[:i], true
			break
		}
		out.Keyspaces = append(out.Keyspaces, message)
	}
	if more {
		out.NextPageToken = nameToken(keyspacesPage, page[len(page)-1].Name)
	}
	return out, nil
}

func (a *administration) DeleteKeyspace(ctx context.Context, req *cairnv1.DeleteKeyspaceRequest) (*cairnv1.DeleteKeyspaceResponse, error) {
	name, err := keyspaceName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return new(cairnv1.DeleteKeyspaceResponse), inField("name", a.admin.DeleteKeyspace(ctx, name))
}

func (a *administration) GetCluster(ctx context.Context, req *cairnv1.GetClusterRequest) (*cairnv1.Cluster, error) {
	name, err := clusterName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	info, err := a.admin.GetCluster(ctx, name)
	if err != nil {
		return nil, inField("name", err)
	}
	return clusterMessage(info), nil
}

func (a *administration) ListClusters(ctx context.Context, req *cairnv1.ListClustersRequest) (*cairnv1.ListClustersResponse, error) {
	after, limit, err := namePage(clustersPage, req.GetPageSize(), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	page, more, err := a.admin.ListClusters(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	out := new(cairnv1.ListClustersResponse)
	var fits pageRoom
	for i, info := range page {
		message := clusterMessage(info)
		if !fits.take(message) {
			page, more = page[:i], true
			break
		}
		out.Clusters = append(out.Clusters, message)
	}
	if more {
		out.NextPageToken = nameToken(clustersPage, page[len(page)-1].Name)
	}
	return out, nil
}

func (a *administration) DeleteCluster(ctx context.Context, req *cairnv1.DeleteClusterRequest) (*cairnv1.DeleteClusterResponse, error) {
	name, err := clusterName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return new(cairnv1.DeleteClusterResponse), inField("name", a.admin.DeleteCluster(ctx, name))
}

func (a *administration) ListShards(ctx context.Context, req *cairnv1.ListShardsRequest) (*cairnv1.ListShardsResponse, error) {
	keyspace, err := keyspaceName("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(req.GetPageSize(), defaultShards, maxShards)
	if err != nil {
		return nil, err
	}
	from, err := shardsAfter(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	page, next, err := a.admin.ListShards(ctx, keyspace, from, limit)
	if err != nil {
		return nil, inField("parent", err)
	}
	out := &cairnv1.ListShardsResponse{NextPageToken: shardsToken(next)}
	for _, info := range page {
		out.Shards = append(out.Shards, shardMessage(keyspace, info))
	}
	return out, nil
}

func (a *administration) SplitShard(ctx context.Context, req *cairnv1.SplitShardRequest) (*cairnv1.SplitShardResponse, error) {
	keyspace, id, err := parseShardName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	var at admin.SplitAt
	switch where := req.GetAt().(type) {
	case *cairnv1.SplitShardRequest_PlacementKey:
		at.PlacementKey = present(where.PlacementKey)
	case *cairnv1.SplitShardRequest_Key:
		at.Key = present(where.Key)
	}
	left, right, err := a.admin.SplitShard(ctx, keyspace, id, at)
	if err != nil {
		return nil, inField("name", err)
	}
	return &cairnv1.SplitShardResponse{Left: shardMessage(keyspace, left), Right: shardMessage(keyspace, right)}, nil
}

// present is bytes that are set, which may be none: not nil.
func present(bytes []byte) []byte {
	if bytes == nil {
		return []byte{}
	}
	return bytes
}

func (a *administration) MergeShards(ctx context.Context, req *cairnv1.MergeShardsRequest) (*cairnv1.MergeShardsResponse, error) {
	keyspace, id, err := parseShardName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	info, err := a.admin.MergeShards(ctx, keyspace, id)
	if err != nil {
		return nil, inField("name", err)
	}
	return &cairnv1.MergeShardsResponse{Shard: shardMessage(keyspace, info)}, nil
}

func (a *administration) GetIndexStatus(ctx context.Context, req *cairnv1.GetIndexStatusRequest) (*cairnv1.IndexStatus, error) {
	name, err := clusterName("cluster", req.GetCluster())
	if err != nil {
		return nil, err
	}
	status, cluster, err := a.admin.IndexStatus(ctx, name)
	if err != nil {
		return nil, inField("cluster", err)
	}
	out := &cairnv1.IndexStatus{
		Replica: status.Replica, AppliedIndex: status.AppliedIndex, CheckpointIndex: status.CheckpointIndex,
		CheckpointAge: durationpb.New(time.Duration(status.CheckpointAge)), MapRevision: status.MapRevision,
		Entries: status.Entries, NodeEntries: make(map[string]uint64, len(status.NodeEntries)),
		FileBytes: uint64(status.FileBytes), WriteRefusal: status.WriteRefusal, ViewBytes: uint64(max(0, status.ViewBytes)),
	}
	for id, entries := range status.NodeEntries {
		if node, found := cluster.NodeByID(id); found {
			out.NodeEntries[node.Name] = entries
		}
	}
	return out, nil
}
