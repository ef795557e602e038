package server

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// Bounds of a page of List.
const (
	maxListBytes = 4 << 20
	// chunkBytes is about how much of a watch is sent in one message.
	chunkBytes = 1 << 20
)

// List answers a page.
func (s *Server) List(ctx context.Context, message *indexv1.ListRequest) (*indexv1.ListResponse, error) {
	read, err := message.GetRead().Decode()
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	ctx, cancel := within(ctx, message.GetRead().GetTimeoutMicros())
	defer cancel()
	request := &cairn.ListRequest{
		Read: read, Start: message.GetStart(), End: message.GetEnd(),
		Limit: bounded(message.GetLimit(), cairn.MaxBatch), MaxBytes: bounded(message.GetMaxBytes(), maxListBytes),
	}
	reply, err := s.index.List(ctx, request)
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return &indexv1.ListResponse{
		Revision: reply.Revision, Index: reply.Index, Fingerprint: uint64(reply.Fingerprint),
		Entries: indexv1.AppendEntries(nil, reply.Entries), More: reply.More,
	}, nil
}

// bounded is n, or most if n is 0 or more than that.
func bounded(n uint32, most int) int {
	if n == 0 || int64(n) > int64(most) {
		return most
	}
	return int(n)
}

// Watch sends batches until its client goes away or the server drains.
func (s *Server) Watch(message *indexv1.WatchRequest, stream grpc.ServerStreamingServer[indexv1.WatchResponse]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	request := cairn.WatchRequest{Keyspace: cairn.UID(message.GetKeyspace()), After: message.GetAfter()}
	sent, revision := message.GetAfter(), uint64(0)
	err := s.index.Watch(ctx, request, func(batch cairn.WatchBatch) error {
		for len(batch.Changes) > 0 {
			chunk, n := chunkOf(batch.Changes)
			batch.Changes = batch.Changes[n:]
			upTo := batch.Index
			if len(batch.Changes) > 0 {
				// The next change may be of the same log entry, so the index is
				// complete only up to the one before.
				upTo = max(sent, batch.Changes[0].Stamp.Index-1)
			} else {
				// Only now: who follows a former owner stops at the revision
				// by which it owns nothing any more.
				revision = batch.Revision
			}
			sent = upTo
			if err := stream.Send(&indexv1.WatchResponse{Index: upTo, Revision: revision, Changes: chunk}); err != nil {
				return err
			}
			if len(batch.Changes) == 0 {
				return nil
			}
		}
		sent, revision = batch.Index, batch.Revision
		return stream.Send(&indexv1.WatchResponse{Index: batch.Index, Revision: batch.Revision})
	})
	if s.draining.Err() != nil && stream.Context().Err() == nil {
		err = errStopping()
	}
	return rpcerr.ToStatus(err).Err()
}

// chunkOf packs as many of the changes as make about a chunk, at least one.
func chunkOf(changes []cairn.Change) (packed []byte, n int) {
	bytes := 0
	for n < min(len(changes), cairn.MaxBatch) && (n == 0 || bytes < chunkBytes) {
		bytes += len(changes[n].Key)
		for _, side := range []*cairn.Entry{changes[n].Before, changes[n].After} {
			if side != nil {
				bytes += len(side.Attributes) + len(side.Nodes)
			}
		}
		n++
	}
	return indexv1.AppendChanges(nil, changes[:n]), n
}

// Status says how the index does.
func (s *Server) Status(ctx context.Context, message *indexv1.StatusRequest) (*indexv1.StatusResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	status, err := s.index.Status(ctx, message.GetEpoch())
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	response := &indexv1.StatusResponse{
		AppliedIndex: status.AppliedIndex, CheckpointIndex: status.CheckpointIndex,
		CheckpointAgeMicros: uint64(max(0, status.CheckpointAge) / int64(time.Microsecond)),
		Revision:            status.MapRevision, Entries: status.Entries, FileBytes: uint64(max(0, status.FileBytes)),
		ViewBytes:    uint64(max(0, status.ViewBytes)),
		WriteRefusal: status.WriteRefusal, NodeEntries: make(map[uint32]uint64, len(status.NodeEntries)),
	}
	for node, entries := range status.NodeEntries {
		response.NodeEntries[uint32(node)] = entries
	}
	for i := range status.Views {
		response.Views = append(response.Views, viewState(&status.Views[i]))
	}
	response.Shards, response.Arriving = shardEntries(status.Shards), shardEntries(status.Arriving)
	response.Withheld, response.Kept = shardEntries(status.Withheld), shardEntries(status.Kept)
	return response, nil
}

func shardEntries(shards []cairn.ShardStatus) []*indexv1.ShardEntries {
	out := make([]*indexv1.ShardEntries, len(shards))
	for i, shard := range shards {
		out[i] = &indexv1.ShardEntries{
			Keyspace: uint64(shard.Keyspace), Shard: uint64(shard.Shard), Epoch: shard.Epoch, Entries: shard.Entries,
			Reads: shard.Reads, Writes: shard.Writes,
		}
		for node, entries := range shard.NodeEntries {
			if out[i].NodeEntries == nil {
				out[i].NodeEntries = make(map[uint32]uint64, len(shard.NodeEntries))
			}
			out[i].NodeEntries[uint32(node)] = entries
		}
	}
	return out
}

// Identify says who answers.
func (s *Server) Identify(context.Context, *indexv1.IdentifyRequest) (*indexv1.IdentifyResponse, error) {
	identity := s.index.Identify()
	response := &indexv1.IdentifyResponse{
		Cluster: uint64(identity.Cluster), ReplicaId: identity.ReplicaID, AppliedIndex: identity.AppliedIndex,
		Revision: identity.MapRevision, WriteRefusal: identity.WriteRefusal,
	}
	for _, member := range identity.Members {
		response.Members = append(response.Members, &indexv1.Member{
			Id: member.ID, Address: member.Address, Voter: member.Voter, Leader: member.Leader,
		})
	}
	return response, nil
}

func viewState(v *cairn.ViewState) *indexv1.ViewState {
	return &indexv1.ViewState{
		View: uint64(v.View), Version: v.Version, Complete: v.Complete, Done: v.Done, Total: v.Total,
		Members: v.Members, Bytes: uint64(max(0, v.Bytes)), Refusal: v.Refusal,
	}
}
