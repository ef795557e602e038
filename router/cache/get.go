package cache

import "cairn"

// Ask is a read of one key.
type Ask struct {
	Keyspace cairn.UID
	Key      cairn.Key
	// Cluster owns the key in Epoch by the map at Revision, which is no older than the
	// token that Index is of.
	Cluster         cairn.UID
	Epoch, Revision uint64
	Level           cairn.Level
	// Index is, with AtLeast, the index that the answer must cover.
	Index          uint64
	WithAttributes bool
}

// Answer is an entry that may be served.
type Answer struct {
	Entry
	// Through is the index up to which the entry is known to be true; its Stamp may be
	// above.
	Through uint64
}

// Outcome is what became of an Ask.
type Outcome uint8

// The outcomes.
const (
	// Hit: there is an entry that may be served.
	Hit Outcome = iota
	// Miss: there is none of the key, under its shard's epoch and with what is asked for.
	Miss
	// Unproven: there may be one, and it is not known whether it is fresh enough.
	Unproven

	outcomes = iota
)

// Get finds the entry of a key if it may be served: see the package. It sets the answer
// then, and does not allocate.
func (c *Cache) Get(ask *Ask, answer *Answer) Outcome {
	source := c.Source(SourceID{ask.Cluster, ask.Keyspace})
	if source == nil {
		return Miss
	}
	outcome := c.get(source, ask, c.hash(ask.Keyspace, ask.Key), answer)
	source.counts.add(outcome)
	return outcome
}

// Look is Get that is not counted.
func (c *Cache) Look(ask *Ask, answer *Answer) Outcome {
	source := c.Source(SourceID{ask.Cluster, ask.Keyspace})
	if source == nil {
		return Miss
	}
	return c.get(source, ask, c.hash(ask.Keyspace, ask.Key), answer)
}

func (c *Cache) get(source *Source, ask *Ask, hash uint64, answer *Answer) Outcome {
	// The proof before the entry: changes that it covers have removed theirs by now.
	current := source.session.Load()
	if current == nil {
		return Unproven
	}
	proof := current.proof.Load()
	// The clock before the entry too: to read it is to wait for all memory asked for.
	proven := ask.Level == cairn.Eventual && c.now()-proof.at <= c.bound
	entry, found := c.entries.GetIfPresent(hash)
	if !found || entry.session != current || !entry.is(ask.Keyspace, ask.Key) ||
		entry.epoch != ask.Epoch || ask.WithAttributes && !entry.WithAttributes {
		return Miss
	}
	if ask.Level == cairn.AtLeast {
		proven = max(proof.Index, entry.index) >= ask.Index
	}
	if !proven || proof.Revision > ask.Revision {
		return Unproven
	}
	answer.Entry, answer.Through = entry, proof.Index
	return Hit
}
