package admin

import (
	"context"
	"time"

	"cairn"
	"cairn/shardmap"
)

// Settings are how moves are carried out, as of now.
func (a *Admin) Settings(ctx context.Context) (shardmap.Settings, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return shardmap.Settings{}, err
	}
	return m.Settings(), nil
}

// LimitCopies has all moves together copy no more than some bounds in a second, from
// now on; nil leaves that to who carries them out. Errors are those of shardmap.Set.
func (a *Admin) LimitCopies(ctx context.Context, limits *shardmap.CopyLimits) (shardmap.Settings, error) {
	return a.changeSettings(ctx, func(s *shardmap.Settings) { s.Limits = limits })
}

// SetBalance switches the automatic balance on or off. Of what it is to be like, its
// Since, Round and Stopped mean nothing. Errors are those of shardmap.Set.
func (a *Admin) SetBalance(ctx context.Context, balance shardmap.Balance) (shardmap.Settings, error) {
	return a.changeSettings(ctx, func(s *shardmap.Settings) {
		before := s.Balance
		s.Balance = balance
		s.Balance.Since, s.Balance.Round, s.Balance.Stopped = before.Since, before.Round, ""
		if balance.On && (!before.On || before.Stopped != "") {
			s.Balance.Since, s.Balance.Round = time.Now().UTC().Round(time.Microsecond), time.Time{}
		}
	})
}

// changeSettings changes what others may change at the same moment.
func (a *Admin) changeSettings(ctx context.Context, change func(*shardmap.Settings)) (shardmap.Settings, error) {
	const tries = 10
	for try := 1; ; try++ {
		m, err := a.store.Refresh(ctx)
		if err != nil {
			return shardmap.Settings{}, err
		}
		next := m.Settings()
		change(&next)
		what, err := shardmap.Set(m, next)
		if err != nil {
			return shardmap.Settings{}, err
		}
		revision, err := a.store.Commit(ctx, what)
		if cairn.KindOf(err) == cairn.KindConflict && err != nil && try < tries {
			continue
		}
		if err != nil {
			return shardmap.Settings{}, err
		}
		next.Revision = revision
		_, err = a.await(ctx, revision)
		return next, err
	}
}
