package views

import (
	"cairn"
)

// Marked is an entry of a run with marks.
type Marked struct {
	Ordinal uint32
	Place   int // in the run
	// As in Put.
	Key        cairn.Key
	Attributes cairn.Attributes
	Columns    []cairn.Attribute
}

// PutMarked is Put for entries of a run, all or some of it, with the run's marks,
// which have passed Check. Their ordinals are new. Where the shard gathers, views
// that the marks tell of try no filter, and orders take over how the entries are
// sorted; what the marks don't tell is worked out as by Put. That entries are sorted
// is looked into; who is a member is the marks' word.
func (v *Views) PutMarked(shardID cairn.ShardID, run []Marked, marks *Marks) {
	if len(run) == 0 {
		return
	}
	home := v.editShard(shardID)
	if !home.gathers {
		for i := range run {
			v.Put(run[i].Ordinal, shardID, run[i].Key, run[i].Attributes, run[i].Columns...)
		}
		return
	}
	entering := v.entering(marks)
	ordinals := make([]uint32, len(run))
	for i := range run {
		each := &run[i]
		ordinals[i] = each.Ordinal
		v.putValues(each)
		for at := range entering {
			entering[at].try(v, each)
		}
	}
	s := &v.present
	s.entries = v.bitmaps.edit(s.entries)
	v.bitmaps.add(s.entries, ordinals)
	home.ordinals = v.bitmaps.edit(home.ordinals)
	v.bitmaps.add(home.ordinals, ordinals)
	v.ownCounts()
	for at := range entering {
		v.enter(&entering[at], home)
	}
	for _, o := range v.orders {
		if o != nil {
			o.waiting.AddMany(ordinals)
			if sorted := v.sortedRun(o, run, marks.sortedBy(o.sort)); sorted.ordinals != nil {
				o.runs = append(o.runs, sorted)
			} else {
				o.loose.AddMany(ordinals)
			}
		}
	}
}

// putValues gives a new entry its key and its values.
func (v *Views) putValues(each *Marked) {
	s := &v.present
	v.row.read(s, each.Attributes, each.Columns)
	s.keys.set(each.Ordinal, each.Key, v.bitmaps.generation)
	for i := range s.attributes {
		if v.row.values[i].Type() != cairn.TypeNull {
			v.setValue(i, each.Ordinal)
		}
	}
}

// entering is who comes to be a member of a view.
type entering struct {
	slot     int
	view     *view
	marks    *MemberMarks // nil: by the filter
	ordinals []uint32
}

// entering is all views, with nobody in yet.
func (v *Views) entering(marks *Marks) (out []entering) {
	for slot, w := range v.present.views {
		if w != nil {
			out = append(out, entering{slot: slot, view: w, marks: marks.of(w)})
		}
	}
	return out
}

// try takes an entry in if it is a member. While a view is built it knows members
// up to some ordinal.
func (e *entering) try(v *Views, each *Marked) {
	if !e.view.covers(each.Ordinal) {
		return
	}
	in := e.view.Filter == nil
	if e.marks != nil {
		in = e.marks.has(each.Place)
	} else if !in {
		in = v.evaluate(e.view, each.Ordinal)
	}
	if in {
		e.ordinals = append(e.ordinals, each.Ordinal)
	}
}

// enter makes them members.
func (v *Views) enter(e *entering, home *shard) {
	if len(e.ordinals) == 0 {
		return
	}
	place := &v.present.members[e.slot]
	*place = v.bitmaps.edit(*place)
	v.bitmaps.add(*place, e.ordinals)
	if e.view.complete {
		v.count(home, e.slot, len(e.ordinals))
	}
}

// sortedRun is a run's entries in an order's order by what its marks say; none if they
// say nothing, or it is not so.
func (v *Views) sortedRun(o *sorted, run []Marked, places []uint16) (sorted sortedRun) {
	if places == nil {
		return sorted
	}
	at := make([]int32, len(places)) // in the run, counted from one
	for i := range run {
		at[run[i].Place] = int32(i + 1)
	}
	sorted = sortedRun{make([]uint32, 0, len(run)), make([]uint64, 0, len(run))}
	c := comparer{state: &v.present, sort: o.sort, fields: o.fields}
	for _, place := range places {
		if at[place] == 0 {
			continue
		}
		ordinal := run[at[place]-1].Ordinal
		prefix := c.Prefix(ordinal)
		if last := len(sorted.ordinals) - 1; last >= 0 {
			if before := sorted.prefixes[last]; prefix < before || prefix == before && c.Compare(sorted.ordinals[last], ordinal) >= 0 {
				return sortedRun{}
			}
		}
		sorted.ordinals, sorted.prefixes = append(sorted.ordinals, ordinal), append(sorted.prefixes, prefix)
	}
	return sorted
}
