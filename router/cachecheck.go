package router

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"cairn"
	"cairn/router/cache"
	"cairn/shardmap/catalog"
)

// Checked is what came of comparing an answer from the cache with a linearizable one.
type Checked string

// The outcomes.
const (
	// CheckAgreed: the index says the same.
	CheckAgreed Checked = "agreed"
	// CheckChanged: the key has changed since, which says nothing about the answer.
	CheckChanged Checked = "changed"
	// CheckFailed: no index could be asked.
	CheckFailed Checked = "failed"
	// CheckDisagreed: the answer was wrong.
	CheckDisagreed Checked = "disagreed"
)

// CheckEvent is an answer from the cache that was compared.
type CheckEvent struct {
	Keyspace, Cluster string
	Key               cairn.Key
	Outcome           Checked
	// Cached and Now are what the cache and then the index said.
	Cached, Now cairn.Located
}

// mostChecks bounds the comparisons that are under way; what comes meanwhile is not
// compared.
const mostChecks = 2

// check is one comparison.
type check struct {
	located  *located
	keyspace *catalog.Keyspace
	cluster  *catalog.Cluster
	key      cairn.Key
	answer   cache.Answer
}

// sample has one of so many answers compared, by and by.
func (l *located) sample(keyspace *catalog.Keyspace, cluster *catalog.Cluster, key cairn.Key, answer *cache.Answer) {
	if l.checkEvery > 1 && rand.Uint32N(l.checkEvery) != 0 {
		return
	}
	select {
	case l.checks <- struct{}{}:
	default:
		return
	}
	c := &check{l, keyspace, cluster, slices.Clone(key), *answer}
	if !l.start(c.run) {
		<-l.checks
	}
}

func (c *check) run() {
	defer func() { <-c.located.checks }()
	ctx, cancel := context.WithTimeout(c.located.ctx, c.located.router.timeout)
	defer cancel()
	outcome, now := c.compare(ctx)
	if told := c.located.router.config.Events.Check; told != nil && c.located.ctx.Err() == nil {
		told(CheckEvent{
			Keyspace: c.keyspace.Name, Cluster: c.cluster.Name, Key: c.key, Outcome: outcome,
			Cached: c.answer.Located(), Now: now,
		})
	}
}

// compare compares the answer with linearizable ones. A key may have been written since,
// so that another answer alone proves nothing. It does where the index says that the last
// write was one that the cache had said to know of; or where the cache goes on to serve
// the entry once it knows of all that the index did, twice.
func (c *check) compare(ctx context.Context) (Checked, cairn.Located) {
	for round := 1; ; round++ {
		now, err := c.linearizable(ctx)
		entry := &c.answer.Entry
		switch {
		case err != nil:
			return CheckFailed, now
		case now.State == cairn.NotOwned || now.Stamp.Epoch != entry.Stamp().Epoch:
			return CheckChanged, now
		case says(entry, &now):
			return CheckAgreed, now
		case now.State == cairn.Found && unchangedSince(now.Version, entry.Stamp().Epoch, max(c.answer.Through, entry.Stamp().Index)):
			return CheckDisagreed, now
		case !c.goesOn(ctx, now.Stamp.Index):
			return CheckChanged, now
		case round == 2:
			// The first index may be of before what was answered; this one was asked for
			// after that, so it is not.
			return CheckDisagreed, now
		}
	}
}

// says tells whether an entry and an index say the same.
func says(entry *cache.Entry, now *cairn.Located) bool {
	said := entry.Located()
	if said.State != now.State || !slices.Equal(said.Nodes, now.Nodes) {
		return false
	}
	return !entry.WithAttributes || said.Version == now.Version && bytes.Equal(said.Attributes, now.Attributes)
}

// unchangedSince tells whether a version is of a write at or before an index under an
// epoch.
func unchangedSince(version cairn.Version, epoch, index uint64) bool {
	return version.Compare(cairn.Version{Epoch: epoch, Index: index, Position: math.MaxUint32}) <= 0
}

// linearizable asks the key's owner.
func (c *check) linearizable(ctx context.Context) (cairn.Located, error) {
	r := c.located.router
	m, err := r.mapAt(ctx, 0)
	if err != nil {
		return cairn.Located{}, err
	}
	d := r.connections.directory(m)
	at, shard, err := ownerOf(d, c.keyspace, c.key)
	if err != nil {
		return cairn.Located{}, err
	}
	member := &d.members[at]
	if member.cluster.UID != c.cluster.UID {
		return cairn.Located{State: cairn.NotOwned}, nil
	}
	index, err := member.connection.get(member.cluster)
	if err != nil {
		return cairn.Located{}, err
	}
	read := cairn.Reading{Freshness: cairn.Freshness{Level: cairn.Linearizable}, WithAttributes: true}
	request := locateRequest(c.keyspace, max(shard.Epoch, c.keyspace.Revision), member.cluster, read, []cairn.Key{c.key})
	var reply cairn.LocateReply
	if err := index.Locate(ctx, &request, &reply); err != nil {
		return cairn.Located{}, err
	}
	if len(reply.Results) != 1 {
		return cairn.Located{}, wrongCount(member.cluster, 1, len(reply.Results))
	}
	return reply.Results[0], nil
}

// goesOn tells whether the cache still serves the very entry once it knows everything up
// to an index.
func (c *check) goesOn(ctx context.Context, index uint64) bool {
	ask := cache.Ask{
		Keyspace: c.keyspace.UID, Key: c.key, Cluster: c.cluster.UID, Epoch: c.answer.Stamp().Epoch, Revision: math.MaxUint64,
		Level: cairn.AtLeast, Index: index,
	}
	var later cache.Answer
	for {
		outcome := c.located.cache.Look(&ask, &later)
		if outcome != cache.Unproven {
			return outcome == cache.Hit && later.Is(&c.answer.Entry)
		}
		if !pause(ctx, 50*time.Millisecond) {
			return false
		}
	}
}
