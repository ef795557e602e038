package admin

import (
	"context"
	"fmt"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/plan"
)

// Begun is what became of a plan.
type Begun struct {
	// Steps is how many were carried out or, of moves, begun; all those before
	// have been, too.
	Steps int
	// Moves are those that were begun, in the order of their steps.
	Moves []cairn.UID
}

// ApplyPlan carries a plan out, step after step: splits and merges at once, moves
// as those of MoveShard, which go on after it returns. It does what the plan says
// or nothing: where anything that a step touches has changed since the plan was
// made, before or while it is applied, the step is refused as plan.Plan.Check
// says, and none after it is begun. who is kept with the moves.
//
// The error, whatever it is, names the step as the field "steps[3]" and says how
// many were begun; Begun has them. With DONE_NOT_SEEN that step is among them.
func (a *Admin) ApplyPlan(ctx context.Context, p *plan.Plan, who string) (Begun, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return Begun{}, err
	}
	if err := p.Check(m); err != nil {
		return Begun{}, err
	}
	var done Begun
	for i := range p.Steps {
		move, begun, err := a.applyStep(ctx, p, i, who)
		if begun {
			done.Steps++
		}
		if move != 0 {
			done.Moves = append(done.Moves, move)
		}
		if err != nil {
			err = cairn.InField(fmt.Sprintf("steps[%d]", i), err)
			return done, cairn.Errorf(cairn.KindOf(err), cairn.ReasonOf(err), "%d of %d steps were begun; then: %w", done.Steps, len(p.Steps), err)
		}
	}
	return done, nil
}

// stepTries is how often a step is decided anew because something beside it was
// changed at the same moment.
const stepTries = 10

// applyStep tells, with an error too, whether the step was begun.
func (a *Admin) applyStep(ctx context.Context, p *plan.Plan, i int, who string) (move cairn.UID, begun bool, err error) {
	for range stepTries {
		move, begun, err = a.tryStep(ctx, p, i, who)
		if cairn.KindOf(err) != cairn.KindConflict || cairn.ReasonOf(err) == "PLAN_STALE" {
			break
		}
	}
	return move, begun, err
}

func (a *Admin) tryStep(ctx context.Context, p *plan.Plan, i int, who string) (move cairn.UID, begun bool, err error) {
	m, err := a.store.Refresh(ctx)
	if err == nil {
		err = p.CheckStep(m, i)
	}
	var change shardmap.Change
	if err == nil {
		change, move, err = a.decideStep(ctx, m, &p.Steps[i], who)
	}
	if err != nil {
		return 0, false, err
	}
	revision, err := a.store.Commit(ctx, change)
	if err != nil {
		return 0, false, err
	}
	_, err = a.await(ctx, revision)
	return move, true, err
}

// decideStep decides a step that has been checked against a Map.
func (a *Admin) decideStep(ctx context.Context, m *shardmap.Map, s *plan.Step, who string) (change shardmap.Change, move cairn.UID, err error) {
	k, _ := m.Catalog().KeyspaceByName(s.Keyspace)
	switch s.Kind {
	case plan.Split:
		change, err = shardmap.Split(m, k.UID, s.Shard, s.At)
	case plan.Merge:
		change, err = a.merge(ctx, m, k.UID, s.Shard)
	case plan.Move:
		to, found := m.Catalog().ClusterByName(s.To)
		if !found {
			return change, 0, cairn.Errorf(cairn.KindNotFound, "CLUSTER_NOT_FOUND", "there is no cluster %q", s.To)
		}
		var record shardmap.Move
		change, record, err = shardmap.StartMove(m, shardmap.MoveRequest{
			Keyspace: k.UID, Shard: s.Shard, To: to.UID, Who: who, Why: s.Reason, Keep: shardmap.DefaultKeep, MayHaveEntries: true,
		}, time.Now())
		move = record.UID
	}
	return change, move, err
}
