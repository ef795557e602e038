package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"cairn/bench/peers/postgres"
	"cairn/bench/peers/redis"
	"cairn/bench/peers/sqlite"
	"cairn/bench/report"
	"cairn/bench/views"
)

// positionsEach is how many positions of each view cursors are drawn from,
// comparedEach how many questions of each workload are asked of both sides to
// see that they answer the same.
const (
	positionsEach = 1_000
	comparedEach  = 10
)

// viewsBeside measures questions about views beside each peer that is installed, one
// after the other, so that those that are not asked take no memory.
func viewsBeside(ctx context.Context, s settings) (err error) {
	ours, err := views.Open(ctx, s.entries)
	if ours != nil {
		defer func() { err = errors.Join(err, ours.Close()) }()
	}
	if err != nil {
		return err
	}
	positions, err := ours.Positions(ctx, positionsEach)
	if err != nil {
		return err
	}
	for _, each := range []struct {
		name string
		open func(context.Context, settings, *views.Cairn) (*viewed, error)
	}{{"postgres", postgresViews}, {"redis", redisViews}, {"sqlite", sqliteViews}} {
		if !named(s.beside, each.name) {
			continue
		}
		peer, err := each.open(ctx, s, ours)
		if missing(s.out, err) {
			continue
		} else if err != nil {
			return err
		}
		if err := errors.Join(peer.beside(ctx, s, ours, positions), peer.close()); err != nil {
			return err
		}
	}
	return nil
}

// named tells whether a name is in a list, as all names are in an empty one.
func named(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}

// viewed is a peer that has the records.
type viewed struct {
	name string
	// suffix tells its findings from those beside the first peer.
	suffix string
	side   views.Side
	// answers tells of which workloads it answers the questions.
	answers func(*views.Workload) bool
	pids    func() []int
	close   func() error
	// goals tells whether those of the workloads are for this peer.
	goals bool
}

func everything(*views.Workload) bool { return true }

func postgresViews(ctx context.Context, s settings, ours *views.Cairn) (*viewed, error) {
	p, err := postgres.Open(ctx, s.viewCallers)
	if err != nil {
		return nil, err
	}
	if err := p.FillRecords(ctx, ours, s.entries); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	s.out.AddPeer(p.Peer())
	return &viewed{name: "PostgreSQL", side: p, answers: everything, pids: p.PIDs, close: p.Close, goals: true}, nil
}

func redisViews(ctx context.Context, s settings, ours *views.Cairn) (*viewed, error) {
	r, err := redis.Open(ctx, s.viewCallers)
	if err != nil {
		return nil, err
	}
	sets := redis.Views{Redis: r}
	if err := sets.Fill(ctx, ours, s.entries); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	s.out.AddPeer(r.Peer())
	return &viewed{name: "Redis, sorted sets", suffix: "/beside=redis", side: sets, answers: sets.Answers, pids: r.PIDs, close: r.Close}, nil
}

func sqliteViews(ctx context.Context, s settings, ours *views.Cairn) (*viewed, error) {
	l, err := sqlite.Open(ctx, s.viewCallers)
	if err != nil {
		return nil, err
	}
	if err := l.FillRecords(ctx, ours, s.entries); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.out.AddPeer(l.Peer())
	return &viewed{name: sqlite.Name, suffix: "/beside=sqlite", side: l, answers: everything, pids: l.PIDs, close: l.Close}, nil
}

func (v *viewed) beside(ctx context.Context, s settings, ours *views.Cairn, positions views.Positions) error {
	workloads := slices.DeleteFunc(views.Workloads(), func(w views.Workload) bool { return !v.answers(&w) })
	if err := views.Compare(ctx, ours, v.side, workloads, positions, comparedEach); err != nil {
		return err
	}
	for _, w := range workloads {
		if !named(s.only, w.Name) {
			continue
		}
		comparison, err := report.Compare(ctx, "Views/"+w.Name+v.suffix, v.name, s.pairs,
			s.processors(views.Measured(v.side, &w, positions, s.viewCallers, s.warmup, s.length), v.pids),
			s.processors(views.Measured(ours, &w, positions, s.viewCallers, s.warmup, s.length), ours.PIDs))
		comparison.About = w.Text
		goal := report.Goal{}
		if v.goals {
			goal = w.Goal
		}
		comparison.Write(s.out, goal)
		if err != nil {
			return err
		}
	}
	return nil
}
