package server

import (
	"context"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
	"cairn/router"
)

type locator struct {
	cairnv1.UnimplementedLocatorServer
	router *router.Router
	server *Server
}

func (l *locator) Locate(ctx context.Context, req *cairnv1.LocateRequest) (*cairnv1.LocateResponse, error) {
	keyspace, err := keyspaceName("keyspace", req.GetKeyspace())
	if err != nil {
		return nil, err
	}
	read, err := reading(req.GetFreshness(), req.GetView(), req.GetChoice())
	if err != nil {
		return nil, err
	}
	location, token, err := l.router.Locate(ctx, keyspace, req.GetKey(), read)
	if err != nil {
		return nil, err
	}
	var table nodeTable
	out := &cairnv1.LocateResponse{Location: new(cairnv1.Location), Token: token.String()}
	fillLocation(out.Location, &location, &table)
	out.Nodes = table.refs
	return out, nil
}

func (l *locator) BatchLocate(ctx context.Context, req *cairnv1.BatchLocateRequest) (*cairnv1.BatchLocateResponse, error) {
	keyspace, keys, read, err := batch(req)
	if err != nil {
		return nil, err
	}
	locations, token, err := l.router.BatchLocate(ctx, keyspace, keys, read)
	if err != nil {
		return nil, err
	}
	out := batchResponse(locations, token)
	if err := checkResponse(proto.Size(out)); err != nil {
		return nil, err
	}
	return out, nil
}

// maxResponseBytes keeps a response within what gRPC clients take by default.
const maxResponseBytes = 4<<20 - 64<<10

// checkResponse refuses a response that most clients would not take.
func checkResponse(size int) error {
	if size > maxResponseBytes {
		return cairn.Errorf(cairn.KindExhausted, "RESPONSE_TOO_LARGE", "the answer has %d bytes, over the %d of a message; ask for less at once: fewer keys, rows, groups or attributes", size, maxResponseBytes)
	}
	return nil
}

// batch is what a BatchLocateRequest asks.
func batch(req *cairnv1.BatchLocateRequest) (keyspace string, keys []cairn.Key, read cairn.Reading, err error) {
	if keyspace, err = keyspaceName("keyspace", req.GetKeyspace()); err != nil {
		return "", nil, read, err
	}
	if read, err = reading(req.GetFreshness(), req.GetView(), req.GetChoice()); err != nil {
		return "", nil, read, err
	}
	if err := checkCount("keys", len(req.GetKeys())); err != nil {
		return "", nil, read, err
	}
	keys = make([]cairn.Key, len(req.GetKeys()))
	for i, key := range req.GetKeys() {
		keys[i] = key
	}
	return keyspace, keys, read, nil
}

func batchResponse(locations []cairn.Location, token cairn.Token) *cairnv1.BatchLocateResponse {
	var table nodeTable
	out := &cairnv1.BatchLocateResponse{Locations: make([]*cairnv1.Location, len(locations)), Token: token.String()}
	slab := make([]cairnv1.Location, len(locations))
	for i := range locations {
		fillLocation(&slab[i], &locations[i], &table)
		out.Locations[i] = &slab[i]
	}
	shortenErrors(len(locations), func(i int) *statuspb.Status { return slab[i].GetError() })
	out.Nodes = table.refs
	return out
}

func reading(freshness *cairnv1.Freshness, view cairnv1.LocationView, choice *cairnv1.NodeChoice) (cairn.Reading, error) {
	fresh, err := wire.FromFreshness(freshness)
	if err != nil {
		return cairn.Reading{}, err
	}
	switch view {
	case cairnv1.LocationView_LOCATION_VIEW_UNSPECIFIED, cairnv1.LocationView_LOCATION_VIEW_BASIC, cairnv1.LocationView_LOCATION_VIEW_FULL:
	default:
		return cairn.Reading{}, cairn.Invalid("view", "VIEW_UNKNOWN", "the views are LOCATION_VIEW_BASIC and LOCATION_VIEW_FULL")
	}
	rule := choice.GetRule()
	if rule < cairnv1.NodeChoice_RULE_UNSPECIFIED || rule > cairnv1.NodeChoice_ANY {
		return cairn.Reading{}, cairn.Invalid("choice.rule", "RULE_UNKNOWN", "the rules are PRIMARY, NEAREST and ANY")
	}
	return cairn.Reading{
		Freshness: fresh, WithAttributes: view == cairnv1.LocationView_LOCATION_VIEW_FULL,
		Choice: cairn.NodeChoice{Rule: cairn.NodeRule(rule), Zone: choice.GetZone()}, // numbered alike
	}, nil
}

// useOf is the position of the node to use, and whether it is another than the primary.
func useOf(location *cairn.Location, table *nodeTable) (at uint32, other bool) {
	if location.Use == nil || location.Use == location.Primary {
		return 0, false
	}
	return table.add(location.Cluster, location.Use), true
}

func fillLocation(out *cairnv1.Location, location *cairn.Location, table *nodeTable) {
	switch {
	case location.Err != nil:
		out.State, out.Error = cairnv1.Location_ERROR, rpcerr.ToProto(location.Err)
	case location.State == cairn.Found:
		out.State = cairnv1.Location_FOUND
		out.Primary = table.add(location.Cluster, location.Primary)
		out.Replicas = table.addAll(location.Cluster, location.Replicas)
		out.Version, out.Epoch = wire.Version(location.Version), location.Epoch
		out.Attributes = wire.Values(location.Attributes)
		if use, other := useOf(location, table); other {
			out.Use = &use
		}
	default:
		out.State = cairnv1.Location_NOT_FOUND
	}
}

func (l *locator) ListEntries(ctx context.Context, req *cairnv1.ListEntriesRequest) (*cairnv1.ListEntriesResponse, error) {
	keyspace, err := keyspaceName("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	freshness, err := wire.FromFreshness(req.GetFreshness())
	if err != nil {
		return nil, err
	}
	page, err := l.router.List(ctx, keyspace, cairn.Range{
		Start: req.GetStartKey(), End: req.GetEndKey(), PageSize: int(req.GetPageSize()), PageToken: req.GetPageToken(),
	}, freshness)
	if err != nil {
		return nil, err
	}
	var table nodeTable
	out := &cairnv1.ListEntriesResponse{
		Entries:       make([]*cairnv1.Entry, len(page.Entries)),
		NextPageToken: page.NextPageToken, Token: page.Token.String(),
	}
	for i := range page.Entries {
		out.Entries[i] = entry(&page.Entries[i], &table)
	}
	out.Nodes = table.refs
	return out, nil
}

func entry(e *cairn.NamedEntry, table *nodeTable) *cairnv1.Entry {
	out := &cairnv1.Entry{
		Key: e.Key, Version: wire.Version(e.Version), Attributes: wire.Values(e.Attributes),
		Replicas: table.addAll(e.Cluster, e.Replicas),
	}
	out.Primary = table.add(e.Cluster, e.Primary)
	return out
}

func (l *locator) ExplainKey(ctx context.Context, req *cairnv1.ExplainKeyRequest) (*cairnv1.ExplainKeyResponse, error) {
	keyspace, err := keyspaceName("keyspace", req.GetKeyspace())
	if err != nil {
		return nil, err
	}
	freshness, err := wire.FromFreshness(req.GetFreshness())
	if err != nil {
		return nil, err
	}
	explained, err := l.router.Explain(ctx, keyspace, req.GetKey(), freshness)
	if err != nil {
		return nil, err
	}
	var table nodeTable
	out := &cairnv1.ExplainKeyResponse{
		PlacementKey:     explained.PlacementKey,
		Shard:            shardName(keyspace, explained.Shard.ID),
		Epoch:            explained.Shard.Epoch,
		ShardStart:       explained.Shard.Start,
		ShardEnd:         explained.Shard.End,
		Cluster:          clusterPrefix + explained.Cluster,
		IndexReplica:     explained.Replica,
		MapRevision:      explained.MapRevision,
		IndexMapRevision: explained.Revision,
		Index:            explained.Stamp.Index,
		Location:         new(cairnv1.Location),
		Token:            explained.Token.String(),
		Cache:            cairnv1.ExplainKeyResponse_CacheOutcome(explained.Cache),
	}
	fillLocation(out.Location, &explained.Location, &table)
	out.Nodes = table.refs
	for _, timing := range explained.Timings {
		out.Timings = append(out.Timings, &cairnv1.ExplainKeyResponse_Timing{Layer: timing.Layer, Duration: durationpb.New(timing.Duration)})
	}
	return out, nil
}
