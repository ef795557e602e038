package projection

import (
	"cmp"
	"slices"
	"time"

	"cairn"
	"cairn/views"
	"cairn/views/filter"

	"github.com/RoaringBitmap/roaring/v2"
)

// definition is a version of a view that the log wants kept.
type definition struct {
	cairn.View
	filter *filter.Filter // nil for all entries
	// refusal is why it can't be built; nil if it can.
	refusal error
}

// Define brings the projection to what the log says: the keyspace's schema, and
// every version to be kept of its views. What is new is built in the
// background (Step, or a Fill); what is gone gives its memory back at once. A
// definition that can't be built is refused in its State, and no other
// suffers. Where nothing is new it costs a comparison: every change of the map
// comes by here.
func (p *Projection) Define(schema *cairn.Schema, wanted []cairn.View) {
	p.Touched() // what shards there are may have changed all the same
	wanted = slices.SortedFunc(slices.Values(wanted), func(a, b cairn.View) int {
		return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.Version, b.Version))
	})
	if p.defined(schema, wanted) {
		return
	}
	p.declared.Store(schema)
	p.retry = retry{}
	p.wanted = make([]definition, len(wanted))
	for i, view := range wanted {
		p.wanted[i].View = view
	}
	// Tried without entries first: a Fill has all of its definitions or fails.
	empty := views.New(schema, nodesColumn)
	for i := range p.wanted {
		d := &p.wanted[i]
		if d.Filter != "" {
			d.filter, d.refusal = filter.Parse(d.Filter, schema, filter.View, time.Time{})
		}
		if d.refusal == nil {
			d.refusal = empty.Define(d.definition())
		}
	}
	if p.built != nil {
		p.defineBuilt()
	}
	if p.built == nil || !slices.Equal(p.built.attributes, indexed(schema)) {
		if p.fill == nil || !slices.Equal(p.fill.attributes, indexed(schema)) {
			p.refill()
		}
	} else {
		p.fill = nil // it was for a schema that is gone again
	}
}

// ServeEmpty has the projection of a keyspace without entries serve at once, after Define:
// there is nothing to make it of. What comes is put into it like any other entry, so that
// a keyspace whose first shard arrives has its views before the last entry is there.
func (p *Projection) ServeEmpty() {
	schema := p.declared.Load()
	p.forgetImage()
	p.serve(&built{views: views.New(schema, nodesColumn), attributes: indexed(schema), lists: newNodeLists()})
}

// defined tells whether a schema and versions of views, ascending, are what is
// there.
func (p *Projection) defined(schema *cairn.Schema, wanted []cairn.View) bool {
	declared := p.declared.Load()
	return declared != nil && (declared == schema || slices.Equal(declared.Attributes(), schema.Attributes())) &&
		slices.EqualFunc(p.wanted, wanted, func(d definition, view cairn.View) bool {
			return d.UID == view.UID && d.Name == view.Name && d.Keyspace == view.Keyspace && d.Version == view.Version &&
				d.Filter == view.Filter && slices.Equal(d.Sort, view.Sort)
		})
}

// Drop ends the projection of a keyspace that has no views any more. Who still
// has it is told that there are none: it does not hear of changes from now on.
func (p *Projection) Drop() {
	p.wanted = nil
	p.Replaced()
}

// Replaced ends a projection that another one is being made in the place of:
// who still has it is told that the views are being built.
func (p *Projection) Replaced() {
	p.built, p.fill = nil, nil
	p.leaving, p.unswept = nil, roaring.New()
	p.forgetImage()
	p.Touched()
}

// defineBuilt drops from what serves what is not wanted any more, and defines
// what is new and can be built from the attributes that are there.
func (p *Projection) defineBuilt() {
	for _, each := range p.built.views.Progress() {
		if !slices.ContainsFunc(p.wanted, func(d definition) bool { return d.UID == each.View && d.Version == each.Version }) {
			p.built.views.Drop(each.View, each.Version)
		}
	}
	for i := range p.wanted {
		if d := &p.wanted[i]; d.refusal == nil && has(p.built.attributes, d) {
			d.refusal = p.built.views.Define(d.definition())
		}
	}
}

// has tells whether attributes have all that a definition needs.
func has(attributes []cairn.AttributeSpec, d *definition) bool {
	there := func(id cairn.AttributeID) bool {
		return slices.ContainsFunc(attributes, func(spec cairn.AttributeSpec) bool { return spec.ID == id })
	}
	if d.filter != nil {
		for _, spec := range d.filter.Attributes() {
			if !there(spec.ID) {
				return false
			}
		}
	}
	return !slices.ContainsFunc(d.Sort, func(field cairn.SortField) bool { return !there(field.Attribute) })
}

func (d *definition) definition() views.Definition {
	return views.Definition{View: d.UID, Version: d.Version, Filter: d.filter, Sort: d.Sort}
}

// States are how far every wanted version is. It is called with the lock held.
func (p *Projection) States() []cairn.ViewState {
	out := make([]cairn.ViewState, 0, len(p.wanted))
	var progress []views.Progress
	var now *Snapshot
	if p.built != nil {
		progress, now = p.built.views.Progress(), p.snapshotLocked()
	}
	for i := range p.wanted {
		d := &p.wanted[i]
		state := cairn.ViewState{View: d.UID, Version: d.Version}
		at := slices.IndexFunc(progress, func(each views.Progress) bool { return each.View == d.UID && each.Version == d.Version })
		switch {
		case d.refusal != nil:
			state.Refusal = d.refusal.Error()
		case at >= 0:
			state.Complete = progress[at].Complete
			state.Done, state.Total = uint64(progress[at].Done), uint64(progress[at].Total)
			if state.Complete {
				state.Members, state.Bytes = now.size(d.UID, d.Version)
			}
		case p.fill != nil:
			done, total := p.fill.Progress()
			state.Done, state.Total = uint64(done), uint64(total)
		}
		out = append(out, state)
	}
	return out
}

// wants is a wanted version; nil if the log knows none.
func (p *Projection) wants(uid cairn.UID, version uint64) *definition {
	for i := range p.wanted {
		if p.wanted[i].UID == uid && p.wanted[i].Version == version {
			return &p.wanted[i]
		}
	}
	return nil
}
