package server

import (
	"context"

	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// SourceIndex is an Index that a shard moves away from.
type SourceIndex interface {
	// CopyShard delivers parts that each fit into a message.
	CopyShard(ctx context.Context, m cairn.MovingShard, after []byte, deliver func(cairn.CopiedPart) error) error
	TailShard(ctx context.Context, m cairn.MovingShard, after uint64) (cairn.TailPart, error)
	FenceShard(ctx context.Context, m cairn.MovingShard, number uint64, on bool) (cairn.FenceState, error)
	FenceTail(ctx context.Context, m cairn.MovingShard, number, after uint64) (cairn.FenceState, cairn.TailPart, error)
	ShardFence(ctx context.Context, m cairn.MovingShard) (cairn.FenceState, error)
}

// TargetIndex is an Index that a shard moves to.
type TargetIndex interface {
	// StageShard keeps nothing of the part.
	StageShard(ctx context.Context, m cairn.MovingShard, part []byte) (cairn.Staged, error)
	StagedShard(ctx context.Context, m cairn.MovingShard) (cairn.Staged, error)
	// MovedKeys keeps nothing of the part.
	MovedKeys(ctx context.Context, m cairn.MovingShard, part []byte) ([]cairn.MovedKey, error)
	DropShard(ctx context.Context, m cairn.MovingShard) error
	NoteRevision(ctx context.Context, revision uint64) error
}

// CopyShard sends a shard's copy for as long as its client takes.
func (s *Server) CopyShard(message *indexv1.CopyShardRequest, stream grpc.ServerStreamingServer[indexv1.CopyShardResponse]) error {
	err := s.index.CopyShard(stream.Context(), message.GetShard().Decode(), message.GetAfter(), func(part cairn.CopiedPart) error {
		if s.draining.Err() != nil {
			return errStopping()
		}
		return stream.Send(&indexv1.CopyShardResponse{Part: part.Data, Index: part.Index, Last: part.Last, Done: part.Done})
	})
	return rpcerr.ToStatus(err).Err()
}

// TailShard waits a moment for changes.
func (s *Server) TailShard(ctx context.Context, message *indexv1.TailShardRequest) (*indexv1.TailShardResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	tail, err := s.index.TailShard(ctx, message.GetShard().Decode(), message.GetAfter())
	if err == nil {
		err = indexv1.CheckReply(tail.Data)
	}
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return &indexv1.TailShardResponse{Part: tail.Data, Through: tail.Through, More: tail.More}, nil
}

// FenceShard sets or lifts a fence, and hands out the tail with one that it has set, if
// that is asked for and fits into the answer.
func (s *Server) FenceShard(ctx context.Context, message *indexv1.FenceShardRequest) (*indexv1.FenceShardResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	var fence cairn.FenceState
	var tail cairn.TailPart
	var err error
	if after := message.GetTailAfter(); after > 0 && message.GetOn() {
		fence, tail, err = s.index.FenceTail(ctx, message.GetShard().Decode(), message.GetNumber(), after)
	} else {
		fence, err = s.index.FenceShard(ctx, message.GetShard().Decode(), message.GetNumber(), message.GetOn())
	}
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	if indexv1.CheckReply(tail.Data) != nil {
		tail = cairn.TailPart{}
	}
	return &indexv1.FenceShardResponse{Fence: indexv1.EncodeFence(fence), Part: tail.Data, Through: tail.Through}, nil
}

// ShardFence says how a fence is.
func (s *Server) ShardFence(ctx context.Context, message *indexv1.ShardFenceRequest) (*indexv1.ShardFenceResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	fence, err := s.index.ShardFence(ctx, message.GetShard().Decode())
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return &indexv1.ShardFenceResponse{Fence: indexv1.EncodeFence(fence)}, nil
}

// StageShard takes a part in.
func (s *Server) StageShard(ctx context.Context, message *indexv1.StageShardRequest) (*indexv1.StageShardResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	staged, err := s.index.StageShard(ctx, message.GetShard().Decode(), message.GetPart())
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return &indexv1.StageShardResponse{Staged: indexv1.EncodeStaged(staged)}, nil
}

// StagedShard says what is staged.
func (s *Server) StagedShard(ctx context.Context, message *indexv1.StagedShardRequest) (*indexv1.StagedShardResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	staged, err := s.index.StagedShard(ctx, message.GetShard().Decode())
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return &indexv1.StagedShardResponse{Staged: indexv1.EncodeStaged(staged)}, nil
}

// MovedKeys says where the keys of a part are.
func (s *Server) MovedKeys(ctx context.Context, message *indexv1.MovedKeysRequest) (*indexv1.MovedKeysResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	keys, err := s.index.MovedKeys(ctx, message.GetShard().Decode(), message.GetPart())
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return indexv1.EncodeMovedKeys(keys), nil
}

// DropShard forgets what is staged.
func (s *Server) DropShard(ctx context.Context, message *indexv1.DropShardRequest) (*indexv1.DropShardResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	if err := s.index.DropShard(ctx, message.GetShard().Decode()); err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return &indexv1.DropShardResponse{}, nil
}

// NoteRevision has the log note a map revision.
func (s *Server) NoteRevision(ctx context.Context, message *indexv1.NoteRevisionRequest) (*indexv1.NoteRevisionResponse, error) {
	ctx, cancel := within(ctx, 0)
	defer cancel()
	if err := s.index.NoteRevision(ctx, message.GetRevision()); err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return &indexv1.NoteRevisionResponse{}, nil
}
