package projection

import (
	"cairn"
	"cairn/views"
)

// Marks tell of a run of entries. See package views, as for all of these.
type Marks = views.Marks

// MemberMarks are those of a view.
type MemberMarks = views.MemberMarks

// SortMarks are those of a sort.
type SortMarks = views.SortMarks

// Marker makes marks and looks into them.
type Marker = views.Marker

// Effort is how much was worked out here.
type Effort = views.Effort

// MaxMarked is how many entries a run with marks has at most.
const MaxMarked = views.MaxMarked

// NewMarker makes a Marker that looks into marks that others made.
func NewMarker(schema *cairn.Schema) *Marker { return views.NewMarker(schema, nil) }

// Coming is an entry of a run with marks, as it is now.
type Coming struct {
	Ordinal uint32
	Place   int // in the run
	Entry   *cairn.Entry
}

// PutMarked is Put for entries of a run, all or some of it, with its marks, which have
// passed their Check. The ordinals are new.
func (p *Projection) PutMarked(shard Shard, run []Coming, marks *Marks) {
	if p.built != nil {
		p.built.putMarked(shard, run, marks)
	}
	for i := range run {
		if p.fill != nil {
			p.fill.note(shard, run[i].Ordinal, run[i].Entry)
		}
		p.image.changed(run[i].Ordinal)
	}
}

func (b *built) putMarked(shard Shard, run []Coming, marks *Marks) {
	marked := make([]views.Marked, len(run))
	columns := make([]cairn.Attribute, len(run))
	for i := range run {
		e := run[i].Entry
		columns[i] = b.lists.value(e.Nodes)
		marked[i] = views.Marked{Ordinal: run[i].Ordinal, Place: run[i].Place, Key: e.Key, Attributes: e.Attributes, Columns: columns[i : i+1]}
	}
	b.views.PutMarked(shard, marked, marks)
}

// Marker makes marks for every version that is wanted and can be built, nil if there
// is none. It is called with the lock held, and its Marker is used without.
func (p *Projection) Marker() *Marker {
	var definitions []views.Definition
	for i := range p.wanted {
		if d := &p.wanted[i]; d.refusal == nil {
			definitions = append(definitions, d.definition())
		}
	}
	if len(definitions) == 0 {
		return nil
	}
	return views.NewMarker(p.declared.Load(), definitions)
}

// Effort is how much has been worked out of entries since the projections serve. It
// is called with the lock held.
func (p *Projection) Effort() Effort {
	if p.built == nil {
		return Effort{}
	}
	return p.built.views.Effort()
}
