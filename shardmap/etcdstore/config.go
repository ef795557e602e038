package etcdstore

import (
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
)

// DefaultPrefix is under which all keys stand.
const DefaultPrefix = "/cairn/v1/"

// Config is what a Store needs. Only Client is required.
type Config struct {
	// Client is the caller's and must outlive the Store.
	Client *clientv3.Client
	// Prefix begins all keys and ends in a slash; DefaultPrefix if empty.
	Prefix string
	// Journal is the file that the last Map is kept in; none if empty.
	Journal string
	// StartWait bounds how long Open waits for etcd when it has a Map from the
	// journal; 3 s if 0.
	StartWait time.Duration
	// ProveEvery is how often the Map is proven to be current by a linearizable
	// read, and so the best that Staleness can be; 1 s if 0.
	ProveEvery time.Duration
	// RetryEvery is the longest pause between attempts while etcd does not
	// answer; 2 s if 0.
	RetryEvery time.Duration
	// SweepEvery is how often leftovers are deleted; never if 0.
	SweepEvery time.Duration
	// HistoryKept is how many changes of the Map are kept; 10,000 if 0. There may be
	// more until the next sweep.
	HistoryKept int
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Events are told what happens.
	Events Events
}

// Events are told what happens to a Store. Each may be nil; they are called
// from several goroutines of the Store's and must not block.
type Events struct {
	// Published: a new Map is out.
	Published func(revision uint64)
	// Learnt: a transaction that some Store committed is in the Map, so long after it
	// was sent, by the clocks of two machines; never less than 0.
	Learnt func(after time.Duration)
	// Loaded: the whole map was read from etcd, with this many shards.
	Loaded func(revision uint64, shards int, took time.Duration)
	// Disconnected: etcd does not answer, or the watch broke. The Store goes on
	// with the Map it has and tries again.
	Disconnected func(err error)
	// Refused: what etcd holds can't be used (KindCorrupt), or is older than
	// what was published already (KindStale). The Store goes on with the Map
	// it has and tries again.
	Refused func(err error)
	// Recovered: etcd answers again after Disconnected or Refused, and the Map
	// is current.
	Recovered func(revision uint64)
	// StartedFromJournal: etcd did not answer at start, and this is how old the
	// Map from the journal is.
	StartedFromJournal func(revision uint64, age time.Duration)
	// JournalFailed: the journal could not be read or written. The Store works
	// without, and writes a new one when it can.
	JournalFailed func(err error)
	// Swept: leftovers of a keyspace were deleted.
	Swept func(keyspace cairn.UID, shards int64)
}

func (c Config) withDefaults() (Config, error) {
	if c.Client == nil {
		return c, cairn.Errorf(cairn.KindInternal, "CONFIG", "etcdstore needs an etcd client")
	}
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.Prefix[len(c.Prefix)-1] != '/' {
		return c, cairn.Errorf(cairn.KindInternal, "CONFIG", "the prefix %q does not end in a slash", c.Prefix)
	}
	for _, d := range []struct {
		set   *time.Duration
		value time.Duration
	}{{&c.StartWait, 3 * time.Second}, {&c.ProveEvery, time.Second}, {&c.RetryEvery, 2 * time.Second}} {
		if *d.set == 0 {
			*d.set = d.value
		}
	}
	if c.HistoryKept == 0 {
		c.HistoryKept = 10_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
