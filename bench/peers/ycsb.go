package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"cairn/bench/etcd"
	"cairn/bench/load"
	"cairn/bench/peers/postgres"
	"cairn/bench/peers/sqlite"
	"cairn/bench/report"
	"cairn/bench/subject"
	"cairn/bench/ycsb"
)

// scanPositions is how many positions scans begin behind.
const scanPositions = 500

// ycsbBeside measures YCSB's core workloads beside PostgreSQL, etcd and SQLite,
// with keys by its zipfian constant; and reads of keys drawn uniformly, and from a hot
// fifth of all.
func ycsbBeside(ctx context.Context, s settings) (err error) {
	ours, err := subject.Keep(ctx, s.entries)
	if ours != nil {
		defer func() { err = errors.Join(err, ours.Close()) }()
	}
	if err != nil {
		return err
	}
	positions, err := ours.Positions(ctx, scanPositions, s.entries)
	if err != nil {
		return err
	}
	mine := ycsb.Load(ours, s.entries, positions)
	for _, open := range []func(context.Context, settings) (*stored, error){openSeats, openRecords, openFile} {
		peer, err := open(ctx, s)
		if missing(s.out, err) {
			continue
		} else if err != nil {
			return err
		}
		theirs := ycsb.Load(peer.store, s.entries, positions)
		if err := errors.Join(peer.beside(ctx, s, theirs, mine, ours.PIDs), peer.close()); err != nil {
			return err
		}
	}
	return nil
}

// stored is a peer that has the records.
type stored struct {
	name string
	// short is what findings have of the name; empty for all.
	short string
	store ycsb.Store
	pids  func() []int
	close func() error
}

func (p *stored) beside(ctx context.Context, s settings, theirs, ours *ycsb.Loaded, pids func() []int) error {
	for _, keys := range []struct {
		name   string
		choose load.Chooser
		mixes  []ycsb.Mix
	}{
		{"zipfian", load.Zipfian(s.entries), ycsb.Mixes},
		{"uniform", load.Uniform(s.entries), ycsb.Mixes[2:3]},
		{"hotspot", load.Hotspot(s.entries, 0.2, 0.8), ycsb.Mixes[2:3]},
	} {
		for _, mix := range keys.mixes {
			if !theirs.Can(&mix) {
				continue
			}
			measured := func(loaded *ycsb.Loaded, pids func() []int) report.Measure {
				return s.processors(func(ctx context.Context) (load.Result, error) {
					return load.Closed(ctx, loaded.Calls(&mix, keys.choose, s.callers), s.warmup, s.length)
				}, pids)
			}
			// Connections are made and statements prepared before anything counts.
			if _, err := load.Closed(ctx, theirs.Calls(&mix, keys.choose, s.callers), 0, s.warmup); err != nil {
				return err
			}
			name := fmt.Sprintf("YCSB/%s/keys=%s/beside=%s", mix.Name, keys.name, cmp.Or(p.short, p.name))
			comparison, err := report.Compare(ctx, name, p.name, s.pairs, measured(theirs, p.pids), measured(ours, pids))
			if err != nil {
				return err
			}
			comparison.About = fmt.Sprintf("%s; %d callers", mix.Text, s.callers)
			comparison.Write(s.out, report.Goal{})
		}
	}
	return nil
}

func openSeats(ctx context.Context, s settings) (*stored, error) {
	p, err := postgres.Open(ctx, s.callers)
	if err != nil {
		return nil, err
	}
	store, err := p.FillSeats(ctx, s.entries)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	s.out.AddPeer(p.Peer())
	return &stored{name: "PostgreSQL", store: store, pids: p.PIDs, close: p.Close}, nil
}

func openRecords(ctx context.Context, s settings) (*stored, error) {
	var store etcd.Records
	g, err := startEtcd(ctx, s, func(g *etcd.Group) (err error) {
		store, err = g.FillRecords(ctx, s.entries)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &stored{name: "etcd", store: store, pids: g.PIDs, close: g.Stop}, nil
}

func openFile(ctx context.Context, s settings) (*stored, error) {
	l, err := sqlite.Open(ctx, s.callers)
	if err != nil {
		return nil, err
	}
	store, err := l.FillSeats(ctx, s.entries)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.out.AddPeer(l.Peer())
	return &stored{name: sqlite.Name, short: "SQLite", store: store, pids: l.PIDs, close: store.Close}, nil
}
