package daemon

import (
	"context"
	"log/slog"
	"sync"

	"cairn"
	"cairn/router/admin"
	"cairn/router/move"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Moves is how moves of shards are carried out.
type Moves struct {
	// PerCluster is how many moves a cluster takes part in at once;
	// move.PerCluster if 0.
	PerCluster int
	// Rate bounds what all moves together copy.
	Rate move.Rate
	// Tune, if set, may change what moves are carried out with: for tests, whose movers
	// die at each step.
	Tune func(*move.Config)
}

// moverElection is the name under which routers elect who carries moves out.
const moverElection = "mover"

// startMover has the moves of the map carried out, by this process while it is
// elected to, until stop is called.
func startMover(store *mapStore, dialer *dialer, data *dataMovers, administrator *admin.Admin, config Moves, metrics *metrics, log *slog.Logger) (stop func()) {
	carried := move.Config{
		Store: store, Dial: dialer.move, DialData: data.dial, PerCluster: config.PerCluster, Rate: config.Rate, Events: metrics.moveEvents(store, log),
	}
	if config.Tune != nil {
		config.Tune(&carried)
	}
	driver := move.NewDriver(carried)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		store.Elect(ctx, moverElection, func(ctx context.Context) {
			log.Debug("this router carries moves out")
			var group sync.WaitGroup
			group.Go(func() {
				changed, cancel := store.Subscribe()
				defer cancel()
				administrator.RunBalance(ctx, store.Map, changed, balanceEvents(log))
			})
			driver.Run(ctx)
			group.Wait()
			log.Debug("this router carries no moves out any more")
		})
	}()
	return func() {
		cancel()
		<-done
	}
}

// balanceEvents are a balance's, logged.
func balanceEvents(log *slog.Logger) admin.BalanceEvents {
	return admin.BalanceEvents{
		Begun: func(steps, moves int) {
			log.Info("a round of the automatic balance has begun", "steps", steps, "moves", moves)
		},
		Stopped: func(why string) {
			log.Error("THE AUTOMATIC BALANCE HAS STOPPED: look at it and switch it on again", "why", why)
		},
		Failed: func(err error) {
			log.Warn("a round of the automatic balance could not be begun as a whole; the next comes in its time", "err", err)
		},
	}
}

// move is move.Config.Dial.
func (d *dialer) move(cluster *catalog.Cluster) (move.Index, func(), error) {
	index, err := d.dial(cluster)
	if err != nil {
		return nil, nil, err
	}
	return index.(move.Index), func() { d.release(index) }, nil // all that dial returns are
}

// staged is admin.Staged.
func (d *dialer) staged(ctx context.Context, to *catalog.Cluster, m shardmap.Move) (entries uint64, known bool) {
	index, release, err := d.move(to)
	if err != nil {
		return 0, false
	}
	defer release()
	staged, err := index.StagedShard(ctx, move.Moving(m))
	return staged.Digest.Entries, err == nil
}

// moveTurn is admin.MoveTurn.
func (c Moves) moveTurn(m *shardmap.Map, uid cairn.UID) bool {
	perCluster := c.PerCluster
	if perCluster == 0 {
		perCluster = move.PerCluster
	}
	return move.Turns(m.Moves(), perCluster)[uid]
}

// moveEvents are a driver's events, logged and counted.
func (m *metrics) moveEvents(store *mapStore, log *slog.Logger) move.Events {
	return move.Events{
		Stepped: func(before, after shardmap.Move) {
			if before.Phase == shardmap.MoveFenced && after.Phase != shardmap.MoveFenced {
				m.fences.WithLabelValues(after.Phase.String()).Observe(after.Stepped.Sub(before.Stepped).Seconds())
			}
			level := slog.LevelInfo
			if after.Problem != "" {
				level = slog.LevelWarn
			}
			info := admin.Describe(store.Map(), after)
			log.Log(context.Background(), level, "move", "move", after.UID, "shard", info.KeyspaceName+"/"+after.Shard.String(), "from", info.FromName, "to", info.ToName,
				"phase", after.Phase, "after", after.Stepped.Sub(before.Stepped), "problem", after.Problem)
		},
		Failed: func(record shardmap.Move, action move.Action, err error) {
			log.Debug("a step of a move failed; trying again", "move", record.UID, "phase", record.Phase, "step", action, "err", err)
		},
	}
}
