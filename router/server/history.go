package server

import (
	"context"
	"encoding/binary"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
	"cairn/shardmap"
)

func (a *administration) ListMapChanges(ctx context.Context, req *cairnv1.ListMapChangesRequest) (*cairnv1.ListMapChangesResponse, error) {
	limit, err := pageSize(req.GetPageSize(), defaultResources, maxResources)
	if err != nil {
		return nil, err
	}
	filter, err := historyFilter(req)
	if err != nil {
		return nil, err
	}
	page, more, err := a.admin.ListHistory(ctx, filter, limit)
	if err != nil {
		return nil, err
	}
	out := new(cairnv1.ListMapChangesResponse)
	var fits pageRoom
	for i := range page {
		message := happenedMessage(&page[i])
		if !fits.take(message) {
			page, more = page[:i], true
			break
		}
		out.Changes = append(out.Changes, message)
	}
	if more {
		out.NextPageToken = encodePage(historyPage, binary.BigEndian.AppendUint64(nil, page[len(page)-1].Revision))
	}
	return out, nil
}

func historyFilter(req *cairnv1.ListMapChangesRequest) (f admin.HistoryFilter, err error) {
	switch parent := req.GetParent(); {
	case parent == "":
	case strings.Contains(parent, "/shards/"):
		f.Keyspace, f.Shard, err = parseShardName("parent", parent)
	default:
		f.Keyspace, err = keyspaceName("parent", parent)
	}
	if err != nil {
		return f, err
	}
	if since := req.GetSince(); since != nil {
		f.Since = since.AsTime()
	}
	if until := req.GetUntil(); until != nil {
		f.Until = until.AsTime()
	}
	position, err := decodePage(historyPage, req.GetPageToken())
	if err != nil || req.GetPageToken() == "" {
		return f, err
	}
	if len(position) != 8 {
		return f, errPageToken()
	}
	f.Before = binary.BigEndian.Uint64(position)
	return f, nil
}

func happenedMessage(h *shardmap.Happened) *cairnv1.MapChange {
	out := &cairnv1.MapChange{Revision: h.Revision, Time: timestamppb.New(h.Time), Caller: h.Who, Reason: h.Why}
	for _, r := range h.Resources {
		out.Resources = append(out.Resources, &cairnv1.ResourceEvent{Name: r.Name, What: r.What})
	}
	for _, s := range h.Shards {
		out.Shards = append(out.Shards, &cairnv1.ShardEvent{Name: shardName(s.KeyspaceName, s.ID), Before: shardVersion(s.Before), After: shardVersion(s.After)})
	}
	return out
}

func shardVersion(w *shardmap.ShardWas) *cairnv1.ShardVersion {
	if w == nil {
		return nil
	}
	return &cairnv1.ShardVersion{Cluster: clusterPrefix + w.Cluster, Start: w.Start, End: w.End, Epoch: w.Epoch, Pinned: w.Pinned}
}
