package nodeindex

import (
	"cmp"
	"encoding/binary"
	"slices"

	"cairn"
)

// This file is the encoding of views' definitions, which commands and the file
// share, and their part in the difference between two assignments.

// keyspaceViews are all versions of all views of one keyspace.
type keyspaceViews struct {
	keyspace cairn.UID
	views    []cairn.View
}

// viewsOf is what a command says of a keyspace's views, if anything.
func (c *assignCommand) viewsOf(uid cairn.UID) ([]cairn.View, bool) {
	for i := range c.views {
		if c.views[i].keyspace == uid {
			return c.views[i].views, true
		}
	}
	return nil, false
}

// diffViews are the views of the keyspaces in which they are to change.
func diffViews(from *assignment, to cairn.Assignment, wanted map[cairn.UID]bool) (changed []keyspaceViews) {
	byKeyspace := make(map[cairn.UID][]cairn.View)
	for _, view := range to.Views {
		byKeyspace[view.Keyspace] = append(byKeyspace[view.Keyspace], view)
	}
	for _, uid := range sortedUIDs(wanted) {
		views := byKeyspace[uid]
		slices.SortFunc(views, func(a, b cairn.View) int { return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.Version, b.Version)) })
		var present []cairn.View
		if k := from.keyspaces[uid]; k != nil {
			present = k.views
		}
		if !slices.EqualFunc(present, views, sameView) {
			changed = append(changed, keyspaceViews{uid, views})
		}
	}
	return changed
}

func sameView(a, b cairn.View) bool {
	return a.UID == b.UID && a.Name == b.Name && a.Keyspace == b.Keyspace && a.Version == b.Version &&
		a.Filter == b.Filter && slices.Equal(a.Sort, b.Sort)
}

func appendKeyspaceViews(out []byte, all []keyspaceViews) []byte {
	out = binary.AppendUvarint(out, uint64(len(all)))
	for i := range all {
		out = binary.BigEndian.AppendUint64(out, uint64(all[i].keyspace))
		out = appendViews(out, all[i].views)
	}
	return out
}

func (d *decoder) keyspaceViews() []keyspaceViews {
	var out []keyspaceViews
	for range d.count(9) {
		uid := cairn.UID(d.uint64())
		out = append(out, keyspaceViews{uid, d.views(uid)})
	}
	return out
}

// appendViews appends views of one keyspace.
func appendViews(out []byte, views []cairn.View) []byte {
	out = binary.AppendUvarint(out, uint64(len(views)))
	for i := range views {
		v := &views[i]
		out = binary.BigEndian.AppendUint64(out, uint64(v.UID))
		out = appendBytes(out, []byte(v.Name))
		out = binary.AppendUvarint(out, v.Version)
		out = appendBytes(out, []byte(v.Filter))
		out = appendSort(out, v.Sort)
	}
	return out
}

// appendSort appends a sort's fields with their number in front.
func appendSort(out []byte, sort []cairn.SortField) []byte {
	out = binary.AppendUvarint(out, uint64(len(sort)))
	for _, field := range sort {
		out = appendFlag(binary.AppendUvarint(out, uint64(field.Attribute)), field.Descending)
	}
	return out
}

func (d *decoder) sort() (sort []cairn.SortField) {
	for range d.count(2) {
		sort = append(sort, cairn.SortField{Attribute: cairn.AttributeID(d.number(1<<32 - 1)), Descending: d.flag()})
	}
	return sort
}

func (d *decoder) views(keyspace cairn.UID) []cairn.View {
	var out []cairn.View
	for range d.count(12) {
		v := cairn.View{UID: cairn.UID(d.uint64()), Keyspace: keyspace, Name: string(d.bytes()), Version: d.uvarint(), Filter: string(d.bytes())}
		v.Sort = d.sort()
		out = append(out, v)
	}
	return out
}
