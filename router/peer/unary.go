package peer

import (
	"context"
	"errors"
	"io"
	"time"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// List asks the index server for a page, with errors as of Locate.
func (p *Peer) List(ctx context.Context, req *cairn.ListRequest) (*cairn.ListReply, error) {
	message := &indexv1.ListRequest{
		Read: new(indexv1.Read), Start: req.Start, End: req.End,
		Limit: uint32(max(0, req.Limit)), MaxBytes: uint32(max(0, req.MaxBytes)),
	}
	fillRead(ctx, message.Read, req.Read)
	response, err := p.index.List(ctx, message)
	if err != nil {
		return nil, rpcerr.From(p.address, err)
	}
	entries, err := indexv1.DecodeEntries(response.GetEntries(), nil)
	if err != nil {
		return nil, p.garbled(err)
	}
	return &cairn.ListReply{
		Answer:      cairn.Answer{Revision: response.GetRevision(), Index: response.GetIndex()},
		Fingerprint: cairn.Fingerprint(response.GetFingerprint()),
		Entries:     entries, More: response.GetMore(),
	}, nil
}

// Watch delivers the batches that the index server sends, until ctx ends
// (KindDeadline), the connection breaks (KindUnavailable; watch again after
// the last batch's index), the server ends the watch with an error of its own
// (KindCompacted, KindStale), or deliver fails, whose error it then returns.
func (p *Peer) Watch(ctx context.Context, req cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := p.index.Watch(ctx, &indexv1.WatchRequest{Keyspace: uint64(req.Keyspace), After: req.After})
	if err != nil {
		return rpcerr.From(p.address, err)
	}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return cairn.Errorf(cairn.KindUnavailable, "STREAM_ENDED", "index server %s ended the watch", p.address)
		}
		if err != nil {
			return rpcerr.From(p.address, err)
		}
		changes, err := decodeChanges(response.GetChanges())
		if err != nil {
			return p.garbled(err)
		}
		batch := cairn.WatchBatch{Answer: cairn.Answer{Revision: response.GetRevision(), Index: response.GetIndex()}, Changes: changes}
		if err := deliver(batch); err != nil {
			return err
		}
	}
}

// decodeChanges reads the changes of a batch; a heartbeat has no field at all.
func decodeChanges(packed []byte) ([]cairn.Change, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	return indexv1.DecodeChanges(packed, nil)
}

// Status asks the index server how it does, once its log has noted the map
// revision epoch. Errors are as of Locate.
func (p *Peer) Status(ctx context.Context, epoch uint64) (cairn.IndexStatus, error) {
	response, err := p.index.Status(ctx, &indexv1.StatusRequest{Epoch: epoch})
	if err != nil {
		return cairn.IndexStatus{}, rpcerr.From(p.address, err)
	}
	status := cairn.IndexStatus{
		Replica: p.address, AppliedIndex: response.GetAppliedIndex(), CheckpointIndex: response.GetCheckpointIndex(),
		CheckpointAge: int64(response.GetCheckpointAgeMicros()) * int64(time.Microsecond),
		MapRevision:   response.GetRevision(), Entries: response.GetEntries(), FileBytes: int64(response.GetFileBytes()),
		ViewBytes:    int64(response.GetViewBytes()),
		WriteRefusal: response.GetWriteRefusal(), NodeEntries: make(map[cairn.NodeID]uint64, len(response.GetNodeEntries())),
	}
	for node, entries := range response.GetNodeEntries() {
		status.NodeEntries[cairn.NodeID(node)] = entries
	}
	for _, view := range response.GetViews() {
		status.Views = append(status.Views, cairn.ViewState{
			View: cairn.UID(view.GetView()), Version: view.GetVersion(), Complete: view.GetComplete(), Done: view.GetDone(), Total: view.GetTotal(),
			Members: view.GetMembers(), Bytes: int64(view.GetBytes()), Refusal: view.GetRefusal(),
		})
	}
	status.Shards, status.Arriving = shardsOf(response.GetShards()), shardsOf(response.GetArriving())
	status.Withheld, status.Kept = shardsOf(response.GetWithheld()), shardsOf(response.GetKept())
	return status, nil
}

func shardsOf(shards []*indexv1.ShardEntries) (out []cairn.ShardStatus) {
	for _, shard := range shards {
		on := make(map[cairn.NodeID]uint64, len(shard.GetNodeEntries()))
		for node, entries := range shard.GetNodeEntries() {
			on[cairn.NodeID(node)] = entries
		}
		out = append(out, cairn.ShardStatus{
			Keyspace: cairn.UID(shard.GetKeyspace()), Shard: cairn.ShardID(shard.GetShard()), Epoch: shard.GetEpoch(), Entries: shard.GetEntries(),
			Reads: shard.GetReads(), Writes: shard.GetWrites(), NodeEntries: on,
		})
	}
	return out
}

// Identify asks the index server who it is. It fails as Status does.
func (p *Peer) Identify(ctx context.Context) (cairn.Identity, error) {
	response, err := p.index.Identify(ctx, &indexv1.IdentifyRequest{})
	if err != nil {
		return cairn.Identity{}, rpcerr.From(p.address, err)
	}
	identity := cairn.Identity{
		Cluster: cairn.UID(response.GetCluster()), ReplicaID: response.GetReplicaId(), AppliedIndex: response.GetAppliedIndex(),
		MapRevision: response.GetRevision(), WriteRefusal: response.GetWriteRefusal(),
	}
	for _, member := range response.GetMembers() {
		identity.Members = append(identity.Members, cairn.Member{
			ID: member.GetId(), Address: member.GetAddress(), Voter: member.GetVoter(), Leader: member.GetLeader(),
		})
	}
	return identity, nil
}
