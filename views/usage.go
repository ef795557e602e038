package views

import "cairn"

// Usage is about how many bytes of memory the projections take. Snapshots
// share what did not change between them.
type Usage struct {
	Entries int
	// Keys are the keys and where they are.
	Keys int64
	// Attributes are columns, dictionaries and bitmaps of values.
	Attributes map[cairn.AttributeID]int64
	// Members are the bitmaps of the views' members, Shards those of shards,
	// with their counts.
	Members, Shards int64
	// Orders are the orders, Bitsets what is aligned with them: views and
	// values.
	Orders, Bitsets int64
	// Tallies are what is kept to aggregate views and to group parts of them.
	Tallies int64
}

// Total is all of it.
func (u Usage) Total() int64 {
	total := u.Keys + u.Members + u.Shards + u.Orders + u.Bitsets + u.Tallies
	for _, bytes := range u.Attributes {
		total += bytes
	}
	return total
}

// Usage goes over the parts, not the entries.
func (s *Snapshot) Usage() Usage {
	u := Usage{Entries: s.Entries(), Keys: s.state.keys.bytes(), Tallies: s.state.tallies.bytes(), Attributes: map[cairn.AttributeID]int64{}}
	for i := range s.state.attributes {
		a := &s.state.attributes[i]
		u.Attributes[a.spec.ID] = a.bytes()
	}
	for _, members := range s.state.members {
		u.Members += members.bytes()
	}
	u.Shards = s.state.entries.bytes() + s.state.shards.bytes()
	for at := range s.state.shardSize {
		if each := s.state.shards.get(at); each != nil {
			u.Shards += each.ordinals.bytes() + int64(8*cap(each.counts))
		}
	}
	for _, o := range s.orders {
		if o != nil {
			usage := o.reader.Usage()
			u.Orders += int64(usage.Order)
			u.Bitsets += int64(usage.Views)
			u.Tallies += int64(usage.Digests)
		}
	}
	return u
}
