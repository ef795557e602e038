package projection

import (
	"slices"
	"time"

	"cairn"
	"cairn/views"
)

// Snapshot is the projection of one state of the index. It never changes.
type Snapshot struct {
	*views.Snapshot
	At
	attributes []cairn.AttributeSpec // indexed here
	lists      [][]cairn.NodeID
	made       time.Time
}

// has tells whether an attribute is indexed here.
func (s *Snapshot) has(id cairn.AttributeID) bool {
	return slices.ContainsFunc(s.attributes, func(spec cairn.AttributeSpec) bool { return spec.ID == id })
}

// staleness is how old a snapshot may be that answers an eventual question:
// what bounds how many are made while writes come one by one.
const staleness = 2 * time.Millisecond

// Snapshot is one that a question may be answered from: of the log index
// applied at least, the one that its asker saw, or, where it asks for no more
// than any state, of the index least. It is nil while nothing serves.
func (p *Projection) Snapshot(applied, least uint64, level cairn.Level) *Snapshot {
	s := p.published.Load()
	if s != nil {
		// current is looked at after applied was: no command up to there has
		// changed anything since.
		if p.current.Load() && s == p.published.Load() {
			return s.atLeast(applied)
		}
		if level == cairn.Eventual && s.Index >= least && p.config.Now().Sub(s.made) < staleness {
			return s
		}
	}
	p.config.Lock.Lock()
	defer p.config.Lock.Unlock()
	return p.snapshotLocked()
}

// atLeast is s where it is known to be of a later index too.
func (s *Snapshot) atLeast(applied uint64) *Snapshot {
	if s.Index >= applied {
		return s
	}
	later := *s
	later.Index = applied
	return &later
}

// snapshotLocked is the present state; nil while nothing serves.
func (p *Projection) snapshotLocked() *Snapshot {
	if p.built == nil {
		return nil
	}
	at := p.config.At()
	if s := p.published.Load(); s != nil && p.current.Load() {
		now := *s
		now.At = at
		return &now
	}
	s := &Snapshot{
		Snapshot: p.built.views.Snapshot(), At: at, attributes: p.built.attributes,
		lists: p.built.lists.lists, made: p.config.Now(),
	}
	p.published.Store(s)
	p.current.Store(true)
	return s
}

// size is how many members a complete version has, and about how much memory
// they take.
func (s *Snapshot) size(uid cairn.UID, version uint64) (members uint64, bytes int64) {
	n, err := s.Count(views.Selection{View: uid, Version: version})
	if err != nil {
		return 0, 0
	}
	return uint64(n), s.ViewBytes(uid, version)
}
