package health

import (
	"context"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"cairn"
)

// Target is a node that is to be checked.
type Target struct {
	Cluster cairn.UID
	Node    cairn.NodeID
	Address string
	How     cairn.HealthCheck
}

// name is which node a target is, whatever its address.
type name struct {
	cluster cairn.UID
	node    cairn.NodeID
}

// Config is what a Checker needs.
type Config struct {
	// Every is the pause between two checks of a node, 2 s if 0, and Timeout bounds
	// one, 1 s if 0.
	Every, Timeout time.Duration
	// Check is Check if nil.
	Check func(ctx context.Context, how cairn.HealthCheck, address string) error
	// Changed is told, if set, of a node that is taken for down, with why it failed
	// the last check, and of one that is up again, with nil.
	Changed func(target Target, err error)
	// Doubted is told, if set, when so many of a cluster's nodes fail that all are
	// taken for up, and when no longer.
	Doubted func(cluster cairn.UID, doubted bool)
}

// Checker checks nodes.
type Checker struct {
	config Config

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	targets map[Target]context.CancelFunc
	nodes   map[name]observed
	doubted map[cairn.UID]bool

	// down are the nodes to stay away from; a new map for each change.
	down atomic.Pointer[map[name]bool]
}

// New makes a Checker without targets. Whoever makes it closes it.
func New(config Config) *Checker {
	if config.Every == 0 {
		config.Every = 2 * time.Second
	}
	if config.Timeout == 0 {
		config.Timeout = time.Second
	}
	if config.Check == nil {
		config.Check = Check
	}
	c := &Checker{config: config, targets: make(map[Target]context.CancelFunc), nodes: make(map[name]observed), doubted: make(map[cairn.UID]bool)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.down.Store(&map[name]bool{})
	return c
}

// Down tells whether a node is to be stayed away from. A nil Checker knows of none.
func (c *Checker) Down(cluster cairn.UID, node cairn.NodeID) bool {
	return c != nil && (*c.down.Load())[name{cluster, node}]
}

// Targets has exactly these be checked from now on.
func (c *Checker) Targets(targets []Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := make(map[Target]bool, len(targets))
	for _, t := range targets {
		wanted[t] = true
		if c.targets[t] == nil {
			ctx, cancel := context.WithCancel(c.ctx)
			c.targets[t] = cancel
			c.nodes[name{t.Cluster, t.Node}] = observed{}
			c.running.Go(func() { c.follow(ctx, t) })
		}
	}
	for t, cancel := range c.targets {
		if !wanted[t] {
			cancel()
			delete(c.targets, t)
		}
	}
	kept := make(map[name]observed, len(targets))
	for _, t := range targets {
		kept[name{t.Cluster, t.Node}] = c.nodes[name{t.Cluster, t.Node}]
	}
	c.nodes = kept
	c.publish()
}

// follow checks a target until ctx ends.
func (c *Checker) follow(ctx context.Context, t Target) {
	// Routers that are started together do not check together.
	for pause := rand.N(c.config.Every); ; pause = c.config.Every*3/4 + rand.N(c.config.Every/2) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		attempt, cancel := context.WithTimeout(ctx, c.config.Timeout)
		err := c.config.Check(attempt, t.How, t.Address)
		cancel()
		if changed := c.observe(ctx, t, err == nil); changed && c.config.Changed != nil {
			c.config.Changed(t, err)
		}
	}
}

// observe notes the outcome of a check, and tells whether the node is taken for
// something else now.
func (c *Checker) observe(ctx context.Context, t Target, passed bool) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return false // it is no target any more
	}
	under := name{t.Cluster, t.Node}
	before := c.nodes[under]
	after := before.after(passed)
	c.nodes[under] = after
	if changed = before.down != after.down; changed {
		c.publish()
	}
	return changed
}

// publish has Down tell what is known. c.mu is held.
func (c *Checker) publish() {
	all, failing := make(map[cairn.UID]int), make(map[cairn.UID]int)
	for n, o := range c.nodes {
		all[n.cluster]++
		if o.down {
			failing[n.cluster]++
		}
	}
	doubted := make(map[cairn.UID]bool)
	for cluster, n := range failing {
		doubted[cluster] = 2*n > all[cluster]
	}
	down := make(map[name]bool)
	for n, o := range c.nodes {
		if o.down && !doubted[n.cluster] {
			down[n] = true
		}
	}
	c.down.Store(&down)
	before := c.doubted
	c.doubted = doubted
	if c.config.Doubted == nil {
		return
	}
	for cluster := range maps.Keys(all) {
		if before[cluster] != doubted[cluster] {
			c.config.Doubted(cluster, doubted[cluster])
		}
	}
}

// Failing is how many nodes are taken for down, those of a cluster with too many of
// them included.
func (c *Checker) Failing() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.nodes {
		if o.down {
			n++
		}
	}
	return n
}

// Close ends all checks.
func (c *Checker) Close() {
	c.cancel()
	c.running.Wait()
}
