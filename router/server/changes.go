package server

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/wire"
	"cairn/router"
)

type changes struct {
	cairnv1.UnimplementedChangesServer
	router *router.Router
}

// messageChanges bounds the changes of one message of a watch, and
// messageBytes about their size.
const (
	messageChanges = 1_000
	messageBytes   = 512 << 10
)

func (c *changes) Watch(req *cairnv1.WatchRequest, stream grpc.ServerStreamingServer[cairnv1.WatchResponse]) error {
	keyspace, err := keyspaceName("keyspace", req.GetKeyspace())
	if err != nil {
		return err
	}
	from, err := wire.FromToken("from", req.GetFrom())
	if err != nil {
		return err
	}
	snapshot := req.GetSnapshot()
	if snapshot && req.GetFrom() != "" {
		return cairn.Invalid("snapshot", "SNAPSHOT_WITH_TOKEN", "a watch begins with a snapshot or from a token, not both")
	}
	// Only the last message of a batch has its token: from the others, a
	// client that breaks off gets the batch again.
	before := from
	deliver := func(batch cairn.Changes) error {
		rest := batch.Changes
		for {
			var part []cairn.NamedChange
			part, rest = cut(rest)
			token := before
			if len(rest) == 0 {
				token, before = batch.Token, batch.Token
			}
			if err := stream.Send(watchResponse(keyspace, part, token)); err != nil {
				return err
			}
			if len(rest) == 0 {
				return nil
			}
		}
	}
	if snapshot {
		return c.router.WatchSnapshot(stream.Context(), keyspace, deliver)
	}
	return c.router.Watch(stream.Context(), keyspace, from, deliver)
}

// cut takes from changes what one message holds.
func cut(all []cairn.NamedChange) (part, rest []cairn.NamedChange) {
	bytes := 0
	for i := range all {
		if i > 0 && (i == messageChanges || bytes > messageBytes) {
			return all[:i], all[i:]
		}
		bytes += sizeOf(all[i].Before) + sizeOf(all[i].After)
	}
	return all, nil
}

func sizeOf(e *cairn.NamedEntry) int {
	if e == nil {
		return 0
	}
	size := 2 * len(e.Key)
	for _, v := range e.Attributes {
		size += 16 + len(v.Name) + len(v.Value.Text())
	}
	return size
}

func watchResponse(keyspace string, part []cairn.NamedChange, token cairn.Token) *cairnv1.WatchResponse {
	var table nodeTable
	out := &cairnv1.WatchResponse{Changes: make([]*cairnv1.Change, len(part)), Token: token.String()}
	for i := range part {
		change := &cairnv1.Change{Key: part[i].Key, Shard: shardName(keyspace, part[i].Shard)}
		if !part[i].Time.IsZero() {
			change.Time = timestamppb.New(part[i].Time)
		}
		if part[i].Before != nil {
			change.Before = entry(part[i].Before, &table)
		}
		if part[i].After != nil {
			change.After = entry(part[i].After, &table)
		}
		out.Changes[i] = change
	}
	out.Nodes = table.refs
	return out
}
