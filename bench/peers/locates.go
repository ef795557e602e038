package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"cairn/bench/etcd"
	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/peers/postgres"
	"cairn/bench/peers/redis"
	"cairn/bench/peers/sqlite"
	"cairn/bench/report"
	"cairn/bench/subject"
)

// locateBatch is how many keys a batch has that is measured beside all peers,
// comparedBatches how many batches are asked of both sides to see that they
// answer the same.
const (
	locateBatch     = 128
	comparedBatches = 20
)

// locatesBeside measures locates beside each peer that is installed, one after
// the other, so that those that are not asked take no memory.
func locatesBeside(ctx context.Context, s settings) (err error) {
	ours, err := subject.Locate(ctx, s.entries)
	if ours != nil {
		defer func() { err = errors.Join(err, ours.Close()) }()
	}
	if err != nil {
		return err
	}
	cached, err := ours.Cached(ctx, s.entries)
	if err != nil {
		return err
	}
	if err := errors.Join(
		curvesOf(ctx, s, "Cairn, router in process", ours.InProcess()),
		curvesOf(ctx, s, "Cairn, router of its own", ours.Remote())); err != nil {
		return err
	}
	for _, open := range []func(context.Context, settings, locates.Nodes) (*located, error){openRedis, openPostgres, openEtcd, openSQLite} {
		peer, err := open(ctx, s, ours.Nodes)
		if missing(s.out, err) {
			continue
		} else if err != nil {
			return err
		}
		if err := errors.Join(peer.beside(ctx, s, ours, cached), peer.close()); err != nil {
			return err
		}
	}
	return nil
}

// located is a peer that has the entries.
type located struct {
	name        string
	comparisons []comparison
	pids        func() []int
	close       func() error
}

// comparison is one way to ask a peer, and what we are to reach beside it.
type comparison struct {
	name, about string
	side        locates.Side
	batch       int
	// curve is the side's name in curves; empty where none is measured, and the
	// peer's name will do.
	curve string
	// inProcess, cached and remote are the least ratios with a router in the caller's
	// process, with one there that has the answers, and with one of its own; 0 where none
	// is set.
	inProcess, cached, remote float64
}

// way is one way to ask us.
type way struct {
	router    string
	inProcess bool
	side      locates.Side
	goal      float64
}

func (l *located) beside(ctx context.Context, s settings, ours *subject.Located, cached locates.Side) error {
	for _, c := range l.comparisons {
		if err := locates.Compare(ctx, ours.Remote(), c.side, s.entries, comparedBatches); err != nil {
			return err
		}
		asks := locates.Asks{Callers: s.callers, Size: c.batch, Choose: load.Uniform(s.entries)}
		if c.batch > 1 {
			asks.Callers = s.batchCallers
		}
		ways := []way{{"inprocess", true, ours.InProcess(), c.inProcess}, {"process", false, ours.Remote(), c.remote}}
		if c.cached > 0 {
			ways = append(ways, way{"inprocess/cached", true, cached, c.cached})
		}
		for _, way := range ways {
			pids := func() []int { return ours.PIDs(way.inProcess) }
			// Connections are made and statements prepared before anything counts.
			if _, err := load.Closed(ctx, asks.Calls(c.side), 0, s.warmup); err != nil {
				return err
			}
			measured, err := report.Compare(ctx, fmt.Sprintf("Locate/batch=%d/router=%s/beside=%s", c.batch, way.router, c.name), cmp.Or(c.curve, l.name), s.pairs,
				s.processors(asks.Measured(c.side, s.warmup, s.length), l.pids),
				s.processors(asks.Measured(way.side, s.warmup, s.length), pids))
			if err != nil {
				return err
			}
			measured.About = fmt.Sprintf("%d callers, beside %s", asks.Callers, c.about)
			measured.Write(s.out, report.Goal{Ratio: way.goal})
		}
	}
	for _, c := range l.comparisons {
		if c.curve != "" {
			if err := curvesOf(ctx, s, c.curve, c.side); err != nil {
				return err
			}
		}
	}
	return nil
}

func openRedis(ctx context.Context, s settings, nodes locates.Nodes) (*located, error) {
	r, err := redis.Open(ctx, max(s.callers, s.batchCallers, mostCallers))
	if err != nil {
		return nil, err
	}
	if err := r.Fill(ctx, s.entries, nodes); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	s.out.AddPeer(r.Peer())
	return &located{name: "Redis", pids: r.PIDs, close: r.Close, comparisons: []comparison{
		{name: "redis", about: "MGET of 128", side: r.Pipelined(), batch: locateBatch, inProcess: 1, remote: 0.6},
		{name: "redis", about: "MGET of 16", side: r.Pipelined(), batch: 16},
		{name: "redis", about: "MGET of 1,024", side: r.Pipelined(), batch: 1024},
		{name: "redis-pipelined", about: "GET by a client that pipelines by itself", side: r.Pipelined(), batch: 1, inProcess: 1, cached: 20, curve: "Redis, pipelined"},
		{name: "redis", about: "GET on a connection of each caller", side: r.Plain(), batch: 1, cached: 20},
	}}, nil
}

func openPostgres(ctx context.Context, s settings, nodes locates.Nodes) (*located, error) {
	p, err := postgres.Open(ctx, max(s.callers, s.batchCallers, mostCallers))
	if err != nil {
		return nil, err
	}
	if err := p.FillEntries(ctx, s.entries, nodes); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	s.out.AddPeer(p.Peer())
	return &located{name: "PostgreSQL", pids: p.PIDs, close: p.Close, comparisons: []comparison{
		{name: "postgresql", about: "= ANY of 128", side: p, batch: locateBatch, inProcess: 4},
		{name: "postgresql", about: "the primary key, prepared", side: p, batch: 1, remote: 1.3, curve: "PostgreSQL"},
	}}, nil
}

func openEtcd(ctx context.Context, s settings, nodes locates.Nodes) (*located, error) {
	g, err := startEtcd(ctx, s, func(g *etcd.Group) error { return g.Fill(ctx, s.entries, nodes) })
	if err != nil {
		return nil, err
	}
	return &located{name: "etcd", pids: g.PIDs, close: g.Stop, comparisons: []comparison{
		{name: "etcd", about: "transactions of 128 gets", side: g, batch: locateBatch, remote: 5},
		{name: "etcd", about: "single gets", side: g, batch: 1, remote: 3, curve: "etcd"},
	}}, nil
}

// openSQLite has no goals: what is asked in the caller's process is not the same
// as what is asked of another one.
func openSQLite(ctx context.Context, s settings, nodes locates.Nodes) (*located, error) {
	l, err := sqlite.Open(ctx, max(s.callers, s.batchCallers, mostCallers))
	if err != nil {
		return nil, err
	}
	if err := l.FillEntries(ctx, s.entries, nodes); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.out.AddPeer(l.Peer())
	return &located{name: sqlite.Name, pids: l.PIDs, close: l.Close, comparisons: []comparison{
		{name: "sqlite", about: "a join with 128 keys, no network", side: l, batch: locateBatch},
		{name: "sqlite", about: "a join with 16 keys, no network", side: l, batch: 16},
		{name: "sqlite", about: "a join with 1,024 keys, no network", side: l, batch: 1024},
		{name: "sqlite", about: "the primary key, prepared, no network", side: l, batch: 1, curve: sqlite.Name},
	}}, nil
}

// startEtcd starts one member, fills it and notes that it takes part.
func startEtcd(ctx context.Context, s settings, fill func(g *etcd.Group) error) (*etcd.Group, error) {
	g, err := etcd.Start(ctx, 1)
	if err != nil {
		return nil, err
	}
	var peer report.Peer
	if err = fill(g); err == nil {
		peer, err = g.Peer(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, g.Stop())
	}
	s.out.AddPeer(peer)
	return g, nil
}
