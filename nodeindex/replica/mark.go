package replica

import (
	"time"

	"cairn"
)

// marks measures loads and has the leader mark its log now and then, and says so when this replica
// turns out to differ from the one that led, or does not serve what it should.
func (r *Replica) marks() {
	tick := time.NewTicker(r.config.MarkInterval)
	defer tick.Stop()
	alarmed := false
	for {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			return
		}
		if err := r.index.Diverged(); err != nil && !alarmed {
			alarmed = true
			r.config.Logger.Error("THIS REPLICA DIFFERS FROM THE ONE THAT LED and answers nothing any more", "replica", r.config.ID, "address", r.config.Address, "err", err)
		}
		for _, shard := range r.index.Withheld() {
			r.config.Logger.Error("A SHARD IS NOT SERVED: the map says that it is here, and what it holds did not arrive as a whole", "keyspace", shard.Keyspace, "shard", shard.Shard, "epoch", shard.Epoch)
		}
		r.index.MeasureLoads()
		log := r.log.Load()
		if _, leads := log.leads(); !leads || r.refusals.get() != nil {
			continue
		}
		command, needed := r.index.MarkCommand(r.config.ID)
		if !needed {
			continue
		}
		result, err := log.propose(command)
		if err == nil && result.Err != nil {
			err = result.Err
		}
		if err != nil && r.ctx.Err() == nil && cairn.ReasonOf(err) != "NOT_LEADER" {
			r.config.Logger.Warn("the log could not be marked", "err", err)
		}
	}
}
