package server

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/shardmap"
)

func (a *administration) GetMoverSettings(ctx context.Context, _ *cairnv1.GetMoverSettingsRequest) (*cairnv1.MoverSettings, error) {
	settings, err := a.admin.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return settingsMessage(settings), nil
}

func (a *administration) LimitCopies(ctx context.Context, req *cairnv1.LimitCopiesRequest) (*cairnv1.LimitCopiesResponse, error) {
	var limits *shardmap.CopyLimits
	if l := req.GetLimits(); l != nil {
		limits = &shardmap.CopyLimits{Bytes: l.GetBytes(), Entries: l.GetEntries()}
	}
	settings, err := a.admin.LimitCopies(ctx, limits)
	if err != nil {
		return nil, err
	}
	return &cairnv1.LimitCopiesResponse{Settings: settingsMessage(settings)}, nil
}

func (a *administration) SetBalance(ctx context.Context, req *cairnv1.SetBalanceRequest) (*cairnv1.SetBalanceResponse, error) {
	b := req.GetBalance()
	if b == nil {
		return nil, cairn.Invalid("balance", "BALANCE_MISSING", "say what the balance is to be like")
	}
	balance := shardmap.Balance{On: b.GetOn(), Share: b.GetShare(), Moves: int(b.GetMoves()), By: b.GetBy(), Every: shardmap.DefaultBalanceEvery}
	if b.GetEvery() != nil {
		balance.Every = b.GetEvery().AsDuration()
	}
	settings, err := a.admin.SetBalance(ctx, balance)
	if err != nil {
		return nil, err
	}
	return &cairnv1.SetBalanceResponse{Settings: settingsMessage(settings)}, nil
}

func settingsMessage(s shardmap.Settings) *cairnv1.MoverSettings {
	b := s.Balance
	out := &cairnv1.MoverSettings{Balance: &cairnv1.Balance{On: b.On, Share: b.Share, Moves: int32(b.Moves), By: b.By, Stopped: b.Stopped}}
	if s.Limits != nil {
		out.Limits = &cairnv1.CopyLimits{Bytes: s.Limits.Bytes, Entries: s.Limits.Entries}
	}
	if b.Every > 0 {
		out.Balance.Every = durationpb.New(b.Every)
	}
	if !b.Round.IsZero() {
		out.Balance.RoundTime = timestamppb.New(b.Round)
	}
	return out
}
