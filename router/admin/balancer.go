package admin

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"cairn"
	"cairn/shardmap"
)

// BalanceCaller is by whom the moves of the automatic balance are.
const BalanceCaller = "balance"

// balanceTimeout bounds the planning and beginning of one round.
const balanceTimeout = time.Minute

// BalanceEvents are told what a balance does; each may be nil.
type BalanceEvents struct {
	// Begun: a round has begun some moves, splits and merges; none where clusters are
	// even.
	Begun func(steps, moves int)
	// Stopped: it goes on only when it is switched on again.
	Stopped func(why string)
	// Failed: a round could not be planned; the next is tried in its time.
	Failed func(err error)
}

// RunBalance evens clusters out, as the settings of the map say, until ctx ends.
// changed gets a value after each new Map. Rounds are claimed by a compare-and-swap
// of the settings, so that two who run at once don't double them.
//
// A round begins no earlier than Balance.Every after the one before, and when the
// moves of that are at an end. The first of them that is cancelled, whoever cancels
// it, stops the balance.
func (a *Admin) RunBalance(ctx context.Context, current func() *shardmap.Map, changed <-chan struct{}, events BalanceEvents) {
	due := time.NewTimer(0)
	defer due.Stop()
	for ctx.Err() == nil {
		m := current()
		next := nextRound(m, time.Now())
		switch {
		case next.stop != "":
			a.stopBalance(ctx, m.Settings().Balance.Since, next.stop, events)
			continue
		case next.begin:
			a.balance(ctx, events)
			continue
		case next.at.IsZero():
			due.Stop()
		default:
			due.Reset(time.Until(next.at))
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-due.C:
		}
	}
}

// roundDecision is what a balance does next: begins a round, stops for a reason, or
// waits for a time, or else until the Map changes.
type roundDecision struct {
	begin bool
	stop  string
	at    time.Time
}

func nextRound(m *shardmap.Map, now time.Time) roundDecision {
	b := m.Settings().Balance
	if !b.On || b.Stopped != "" {
		return roundDecision{}
	}
	goesOn := false
	for _, move := range m.Moves() {
		switch {
		case move.Who != BalanceCaller || move.Created.Before(b.Since):
		case move.Phase == shardmap.MoveCancelled:
			return roundDecision{stop: fmt.Sprintf("move %s of shard %s was cancelled: %s", move.UID, move.Shard, cmp.Or(move.Problem, "by an operator"))}
		case move.Phase.Active():
			goesOn = true
		}
	}
	switch at := b.Round.Add(b.Every); {
	case goesOn:
		return roundDecision{}
	case !b.Round.IsZero() && now.Before(at):
		return roundDecision{at: at}
	}
	return roundDecision{begin: true}
}

// balance claims a round and carries its plan out.
func (a *Admin) balance(ctx context.Context, events BalanceEvents) {
	ctx, cancel := context.WithTimeout(ctx, balanceTimeout)
	defer cancel()
	failed := func(err error) {
		if events.Failed != nil && ctx.Err() == nil {
			events.Failed(err)
		}
	}
	m, err := a.store.Refresh(ctx)
	if err != nil {
		failed(err)
		pauseUnlessDone(ctx, time.Second)
		return
	}
	if !nextRound(m, time.Now()).begin {
		return // it has been begun
	}
	claimed := m.Settings()
	claimed.Balance.Round = time.Now().UTC().Round(time.Microsecond)
	claim, err := shardmap.Set(m, claimed)
	if err == nil {
		var revision uint64
		if revision, err = a.store.Commit(ctx, claim); err == nil {
			_, err = a.await(ctx, revision)
		}
	}
	if err != nil {
		failed(err)
		pauseUnlessDone(ctx, time.Second)
		return
	}
	p, err := a.PlanRebalance(ctx, RebalanceOptions{Share: claimed.Balance.Share, Moves: claimed.Balance.Moves, By: claimed.Balance.By})
	if err != nil {
		failed(err)
		return
	}
	author := shardmap.Author{Who: BalanceCaller, Why: "a round of the automatic balance"}
	begun, err := a.ApplyPlan(shardmap.WithAuthor(ctx, author), p, BalanceCaller)
	if err != nil {
		failed(err) // what was begun goes on, and the next round plans anew
	}
	if events.Begun != nil {
		events.Begun(begun.Steps, len(begun.Moves))
	}
}

// stopBalance notes why the balance that was switched on at a time has stopped, unless it
// has been switched since: then what it stopped for no longer counts.
func (a *Admin) stopBalance(ctx context.Context, since time.Time, why string, events BalanceEvents) {
	ctx, cancel := context.WithTimeout(ctx, balanceTimeout)
	defer cancel()
	stopped := false
	_, err := a.changeSettings(ctx, func(s *shardmap.Settings) {
		if stopped = s.Balance.On && s.Balance.Stopped == "" && s.Balance.Since.Equal(since); stopped {
			s.Balance.Stopped = why
		}
	})
	switch {
	case err != nil && cairn.KindOf(err) != cairn.KindConflict:
		pauseUnlessDone(ctx, time.Second)
	case err == nil && stopped && events.Stopped != nil:
		events.Stopped(why)
	}
}

func pauseUnlessDone(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
