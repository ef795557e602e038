package nodeindex

import (
	"maps"
	"slices"

	"cairn"
	"cairn/nodeindex/projection"

	"github.com/RoaringBitmap/roaring/v2"
)

// This file keeps the views beside the entries: package projection has what is
// to be known of one keyspace's.

// numberOf is a population's name in the projections: unlike a shard's id it
// is never used again, so that a shard that comes back is another one.
func (x *Index) numberOf(p *population) projection.Shard {
	if p.number == 0 {
		x.populations++
		p.number = x.populations
		x.numbered[p.number] = p
	}
	return p.number
}

// populationOf are the ordinals of a population by its number, none if it has
// gone. x.mu is held.
func (x *Index) populationOf(number projection.Shard) *roaring.Bitmap {
	if p := x.numbered[number]; p != nil {
		return p.ordinals.Clone()
	}
	return roaring.New()
}

// project brings the projections to an assignment: those of keyspaces that
// have views, and no others. Before is nil at the start. x.mu is held.
func (x *Index) project(before map[cairn.UID]*projection.Projection, next *assignment) map[cairn.UID]*projection.Projection {
	after := make(map[cairn.UID]*projection.Projection)
	for uid, k := range next.keyspaces {
		if len(k.views) == 0 {
			continue
		}
		p := before[uid]
		made := p == nil
		if made {
			p = projection.New(projection.Config{Lock: &x.mu, At: func() projection.At { return x.at(uid) }, Now: x.options.Now, ImageEntries: x.options.ImageEntries})
			if before == nil {
				p.Restored(x.savedImages[uid]) // at the start
			}
			for _, a := range k.arriving {
				if p.Arrive(x.numberOf(a.population)); !a.complete {
					p.Gather(x.numberOf(a.population))
				}
			}
		}
		p.Define(k.Schema, k.views)
		if made && k.empty() {
			p.ServeEmpty()
		}
		after[uid] = p
	}
	for uid, p := range before {
		if after[uid] == nil {
			p.Drop()
		}
	}
	x.wakeWork()
	return after
}

// at is what a snapshot of a keyspace's projection is of. x.mu is held.
func (x *Index) at(uid cairn.UID) projection.At {
	var at projection.At
	at.Index, at.Revision = x.position.applied.Load(), x.position.revision.Load()
	if s := x.state.Load(); s != nil {
		if k := s.keyspaces[uid]; k != nil {
			at.Fingerprint = k.fingerprint
		}
	}
	return at
}

// ViewsBuilding tells whether the views of a keyspace have no answers, since they are
// being made of the entries.
func (x *Index) ViewsBuilding(keyspace cairn.UID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	return s != nil && s.building(keyspace)
}

// building is ViewsBuilding. x.mu is held.
func (s *state) building(keyspace cairn.UID) bool {
	p := s.projections[keyspace]
	return p != nil && !p.Serves()
}

// unswept are the ordinals that projections have not swept yet.
func unswept(projections map[cairn.UID]*projection.Projection) map[cairn.UID]*roaring.Bitmap {
	out := make(map[cairn.UID]*roaring.Bitmap)
	for uid, p := range projections {
		if held := p.Unswept(); !held.IsEmpty() {
			out[uid] = held
		}
	}
	return out
}

// WideAttributes are attributes, as in "keyspace.name", of so many different
// strings that views have no bitmaps of them.
func (x *Index) WideAttributes() (names []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return nil
	}
	return s.wide()
}

func (s *state) wide() (names []string) {
	for _, uid := range sortedUIDs(s.projections) {
		for _, name := range s.projections[uid].Wide() {
			names = append(names, s.keyspaces[uid].Name+"."+name)
		}
	}
	return names
}

// wakeWork has Work looked at.
func (x *Index) wakeWork() {
	select {
	case x.work <- struct{}{}:
	default:
	}
}

// WorkDue receives when there may be Work to do.
func (x *Index) WorkDue() <-chan struct{} { return x.work }

// workEntries is how many entries one step of Work goes through: about half a
// millisecond's.
const workEntries = 128

// Work does one short step of what is done in the background, building views
// and sweeping them, and reports whether more is left. Writes wait for a step.
func (x *Index) Work() (more bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return false
	}
	for _, uid := range slices.Sorted(maps.Keys(s.projections)) {
		if s.projections[uid].Step(workEntries) {
			return true
		}
	}
	return false
}
