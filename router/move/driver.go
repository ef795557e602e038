package move

import (
	"context"
	"sync"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Store is the shard map's store; *etcdstore.Store is one.
type Store interface {
	Map() *shardmap.Map
	// Subscribe returns a channel that gets a value after each new Map.
	Subscribe() (changed <-chan struct{}, cancel func())
	Refresh(ctx context.Context) (*shardmap.Map, error)
	Commit(ctx context.Context, change shardmap.Change) (revision uint64, err error)
}

// Index is one cluster's node index, as a source or a target.
type Index interface {
	Source
	Target
}

// Config is what a Driver needs. Store and Dial are required.
type Config struct {
	Store Store
	// Dial returns the node index of a cluster without waiting for it, and what
	// gives it back.
	Dial func(cluster *catalog.Cluster) (index Index, release func(), err error)
	// DialData returns the data mover at an address in the same way. It may be nil where
	// no keyspace names one.
	DialData func(address string) (data Data, release func(), err error)
	// PerCluster is how many moves a cluster takes part in at once; PerCluster if
	// 0.
	PerCluster int
	// Rate bounds what all moves together copy, unless the settings of the map do.
	Rate Rate
	// Events are told what happens; each may be nil. They must not block.
	Events Events
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Events are told what a Driver does.
type Events struct {
	// Stepped: a move's record became another, by this driver.
	Stepped func(before, after shardmap.Move)
	// Failed: something did not work, and is tried again.
	Failed func(move shardmap.Move, action Action, err error)
}

// Driver carries the moves of a map out.
type Driver struct {
	config  Config
	limiter *limiter
}

// NewDriver makes a Driver.
func NewDriver(config Config) *Driver {
	if config.PerCluster == 0 {
		config.PerCluster = PerCluster
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Driver{config, &limiter{rate: config.rate, now: config.Now}}
}

// rate is the Rate by now.
func (c *Config) rate() Rate {
	if m := c.Store.Map(); m != nil {
		if limits := m.Settings().Limits; limits != nil {
			return Rate(*limits)
		}
	}
	return c.Rate
}

// Run carries out every move that has its turn, until ctx ends. Several may run at
// once, and get in each other's way without harm.
func (d *Driver) Run(ctx context.Context) {
	changed, cancel := d.config.Store.Subscribe()
	defer cancel()
	var group sync.WaitGroup
	defer group.Wait()
	running := make(map[cairn.UID]chan struct{})
	ended := make(chan cairn.UID)
	for {
		if m := d.config.Store.Map(); m != nil {
			for uid := range Turns(m.Moves(), d.config.PerCluster) {
				if running[uid] != nil {
					continue
				}
				record, _ := m.Move(uid)
				woken := make(chan struct{}, 1)
				running[uid] = woken
				group.Go(func() {
					(&carrier{driver: d, woken: woken}).carry(ctx, record)
					select {
					case ended <- uid:
					case <-ctx.Done():
					}
				})
			}
		}
		select {
		case <-ctx.Done():
			return
		case uid := <-ended:
			delete(running, uid)
		case <-changed:
			for _, woken := range running {
				select {
				case woken <- struct{}{}:
				default: // it has yet to look at the map before
				}
			}
		}
	}
}

// carrier carries one move out.
type carrier struct {
	driver *Driver
	woken  <-chan struct{} // after each new Map
	// tailPart is what came with the last fence, of what the source has after log index
	// tailAfter; without Data once it was handed on.
	tailPart  cairn.TailPart
	tailAfter uint64
}

func (c *carrier) carry(ctx context.Context, record shardmap.Move) {
	s := State{Move: record}
	for ctx.Err() == nil {
		m := c.driver.config.Store.Map()
		standing, found := m.Move(record.UID)
		switch {
		case found:
			s = s.Saw(standing)
		case m.Revision() >= s.Move.Revision:
			return // it was finished, and is not kept any more
		}
		a := Decide(s, factsOf(m, s.Move), c.driver.config.Now())
		switch a.Kind {
		case End:
			return
		case Wait:
			c.wait(ctx, a.Until)
		default:
			s = c.do(ctx, s, a)
		}
	}
}

// factsOf is what a Map says about a move that is known to have a record.
func factsOf(m *shardmap.Map, record shardmap.Move) Facts {
	f := Facts{Turn: true, Fresh: cairn.NewUID(), Behind: m.Revision() < record.Revision}
	if k, found := m.Catalog().KeyspaceByUID(record.Keyspace); found {
		f.Settled = k.Mover != "" || m.NodesStay(record)
		f.Data = asksDataMover(m, k, record)
	}
	if shard, found := m.Shard(record.Keyspace, record.Shard); found && shard.Cluster == record.To && shard.Epoch != record.Epoch {
		f.Epoch = shard.Epoch
	}
	f.Targetless = m.Targetless(record)
	_, found := m.Catalog().ClusterByUID(record.To)
	f.TargetGone = !found
	_, found = m.Catalog().ClusterByUID(record.From)
	f.SourceGone = !found
	if _, _, err := m.Planned(record); err != nil && (record.Phase < shardmap.MoveCommitted || record.Phase == shardmap.MoveCancelled) {
		f.Void = err.Error()
	}
	return f
}

// wait waits for a time, or for a new Map.
func (c *carrier) wait(ctx context.Context, until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(until.Sub(c.driver.config.Now()))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-c.woken:
	case <-due:
	}
}
