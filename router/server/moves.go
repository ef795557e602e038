package server

import (
	"context"
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
	"cairn/shardmap"
)

func (a *administration) IsolateKey(ctx context.Context, req *cairnv1.IsolateKeyRequest) (*cairnv1.IsolateKeyResponse, error) {
	keyspace, err := keyspaceName("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	info, err := a.admin.IsolateKey(ctx, keyspace, req.GetKey())
	if err != nil {
		return nil, inField("parent", err)
	}
	return &cairnv1.IsolateKeyResponse{Shard: shardMessage(keyspace, info)}, nil
}

func (a *administration) PinShard(ctx context.Context, req *cairnv1.PinShardRequest) (*cairnv1.PinShardResponse, error) {
	keyspace, id, err := parseShardName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	info, err := a.admin.PinShard(ctx, keyspace, id, req.GetPinned())
	if err != nil {
		return nil, inField("name", err)
	}
	return &cairnv1.PinShardResponse{Shard: shardMessage(keyspace, info)}, nil
}

func (a *administration) CreateMove(ctx context.Context, req *cairnv1.CreateMoveRequest) (*cairnv1.CreateMoveResponse, error) {
	keyspace, id, err := parseShardName("shard", req.GetShard())
	if err != nil {
		return nil, err
	}
	to, err := clusterName("to", req.GetTo())
	if err != nil {
		return nil, err
	}
	options := admin.MoveOptions{Who: callerName(ctx), Why: req.GetReason(), Keep: shardmap.DefaultKeep, Nodes: req.GetNodeMap()}
	if keep := req.GetKeep(); keep != nil {
		if err := keep.CheckValid(); err != nil {
			return nil, cairn.Invalid("keep", "KEEP_OUT_OF_RANGE", "%w", err)
		}
		options.Keep = keep.AsDuration()
	}
	info, err := a.admin.MoveShard(ctx, keyspace, id, to, options)
	if err != nil {
		return nil, inField("shard", err)
	}
	return &cairnv1.CreateMoveResponse{Move: moveMessage(info)}, nil
}

// callerName is who calls, empty where that is not known.
func callerName(ctx context.Context) string {
	if caller := CallerFrom(ctx); caller != nil {
		return caller.Name()
	}
	return ""
}

func (a *administration) ReverseMove(ctx context.Context, req *cairnv1.ReverseMoveRequest) (*cairnv1.ReverseMoveResponse, error) {
	uid, err := moveUID(req.GetName())
	if err != nil {
		return nil, err
	}
	var info admin.MoveInfo
	if req.GetAsKept() {
		info, err = a.admin.GiveBack(ctx, uid)
	} else {
		info, err = a.admin.ReverseMove(ctx, uid, admin.MoveOptions{Who: callerName(ctx), Why: req.GetReason(), Keep: shardmap.DefaultKeep})
	}
	if err != nil {
		return nil, inField("name", err)
	}
	return &cairnv1.ReverseMoveResponse{Move: moveMessage(info)}, nil
}

func (a *administration) GetMove(ctx context.Context, req *cairnv1.GetMoveRequest) (*cairnv1.Move, error) {
	uid, err := moveUID(req.GetName())
	if err != nil {
		return nil, err
	}
	info, err := a.admin.GetMove(ctx, uid)
	if err != nil {
		return nil, inField("name", err)
	}
	return moveMessage(info), nil
}

func (a *administration) PauseMove(ctx context.Context, req *cairnv1.PauseMoveRequest) (*cairnv1.PauseMoveResponse, error) {
	move, err := a.pause(ctx, req.GetName(), true)
	if err != nil {
		return nil, err
	}
	return &cairnv1.PauseMoveResponse{Move: move}, nil
}

func (a *administration) ResumeMove(ctx context.Context, req *cairnv1.ResumeMoveRequest) (*cairnv1.ResumeMoveResponse, error) {
	move, err := a.pause(ctx, req.GetName(), false)
	if err != nil {
		return nil, err
	}
	return &cairnv1.ResumeMoveResponse{Move: move}, nil
}

func (a *administration) pause(ctx context.Context, name string, paused bool) (*cairnv1.Move, error) {
	uid, err := moveUID(name)
	if err != nil {
		return nil, err
	}
	info, err := a.admin.PauseMove(ctx, uid, paused)
	if err != nil {
		return nil, inField("name", err)
	}
	return moveMessage(info), nil
}

func (a *administration) CancelMove(ctx context.Context, req *cairnv1.CancelMoveRequest) (*cairnv1.CancelMoveResponse, error) {
	uid, err := moveUID(req.GetName())
	if err != nil {
		return nil, err
	}
	info, err := a.admin.CancelMove(ctx, uid)
	if err != nil {
		return nil, inField("name", err)
	}
	return &cairnv1.CancelMoveResponse{Move: moveMessage(info)}, nil
}

func (a *administration) ListMoves(ctx context.Context, req *cairnv1.ListMovesRequest) (*cairnv1.ListMovesResponse, error) {
	limit, err := pageSize(req.GetPageSize(), defaultResources, maxResources)
	if err != nil {
		return nil, err
	}
	after, err := movesAfter(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	page, more, err := a.admin.ListMoves(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	out := new(cairnv1.ListMovesResponse)
	var fits pageRoom
	for i, info := range page {
		message := moveMessage(info)
		if !fits.take(message) {
			page, more = page[:i], true
			break
		}
		out.Moves = append(out.Moves, message)
	}
	if more {
		last := page[len(page)-1]
		out.NextPageToken = movesToken(admin.MovesAfter{Created: last.Created, UID: last.UID})
	}
	return out, nil
}

// movesToken is where a listing of moves goes on: when the last one of the page
// began, in microseconds, and its uid.
func movesToken(last admin.MovesAfter) string {
	position := binary.BigEndian.AppendUint64(nil, uint64(last.Created.UnixMicro()))
	return encodePage(movesPage, binary.BigEndian.AppendUint64(position, uint64(last.UID)))
}

// movesAfter reads what movesToken writes.
func movesAfter(token string) (admin.MovesAfter, error) {
	position, err := decodePage(movesPage, token)
	if err != nil || token == "" {
		return admin.MovesAfter{}, err
	}
	if len(position) != 16 {
		return admin.MovesAfter{}, errPageToken()
	}
	return admin.MovesAfter{
		Created: time.UnixMicro(int64(binary.BigEndian.Uint64(position))).UTC(), UID: cairn.UID(binary.BigEndian.Uint64(position[8:])),
	}, nil
}

func moveName(uid cairn.UID) string { return movePrefix + uid.String() }

// moveUID reads "moves/<uid>" from the field "name".
func moveUID(resource string) (uid cairn.UID, err error) {
	text, err := resourceName("name", movePrefix, resource)
	if err != nil {
		return 0, err
	}
	if err := uid.UnmarshalText([]byte(text)); err != nil || uid.String() != text {
		return 0, cairn.Invalid("name", "RESOURCE_NAME", "%q is not a move's name; one looks like %q", resource, "moves/00c3a1f09be24d57")
	}
	return uid, nil
}

func moveMessage(info admin.MoveInfo) *cairnv1.Move {
	out := &cairnv1.Move{
		Name: moveName(info.UID), Shard: shardName(info.KeyspaceName, info.Shard), From: clusterPrefix + info.FromName, To: clusterPrefix + info.ToName,
		Phase: cairnv1.Move_Phase(info.Phase), Attempt: info.Attempt, Paused: info.Paused, Cancelling: info.Cancel && info.Phase.Active(),
		Caller: info.Who, Reason: info.Why, Problem: info.Problem, Waits: info.Waits,
		CreateTime: timestamppb.New(info.Created), PhaseTime: timestamppb.New(info.Stepped),
	}
	if info.Keeps() {
		out.KeptUntil = timestamppb.New(info.Stepped.Add(info.Keep))
	}
	if info.EntriesKnown {
		out.Entries = &info.Entries
	}
	if info.TotalKnown {
		out.EntriesTotal = &info.Total
		changing := info.Total
		if info.NodesStay {
			changing = 0
		}
		out.KeysChangingNodes = &changing
	}
	if info.DataKnown {
		out.Data = &cairnv1.DataProgress{ValuesCopied: info.Data.Values, BytesCopied: info.Data.Bytes, ValuesLeft: info.Data.Left, Complete: info.Data.Complete}
	}
	return out
}
