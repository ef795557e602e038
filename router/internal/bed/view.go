package bed

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cairn"
	"cairn/views/filter"
	"cairn/views/page"
)

// AskView implements router.Index: it goes through all entries, each time.
func (x *Index) AskView(ctx context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error) {
	if x.bed.Asked != nil {
		x.bed.Asked(x.cluster.Name, req)
	}
	fault := x.fault(CallView)
	if err := fault.wait(ctx); err != nil {
		return nil, err
	}
	if err := x.reach(req.Epoch); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	reply := &cairn.ViewReply{
		Answer:      cairn.Answer{Revision: x.assigned.Revision, Index: x.applied},
		Fingerprint: x.fingerprintLocked(req.Keyspace),
	}
	if req.Level == cairn.AtLeast && req.Index > x.applied {
		return reply, cairn.Errorf(cairn.KindNotYet, "NOT_YET", "the log ends before index %d", req.Index)
	}
	if fault == Other {
		reply.Fingerprint++
	}
	of, err := x.selectLocked(req.Read, req.View, req.Version, req.Where, time.UnixMicro(req.Now))
	if err != nil {
		return reply, err
	}
	if req.WithPlan {
		reply.Plan = fmt.Sprintf("all %d entries", len(x.entries[req.Keyspace]))
	}
	if err := of.ask(req, reply); err != nil {
		return reply, err
	}
	return reply, fault.after(CallView)
}

// ExportView implements router.Index. Its bitmap is the keys, one a line.
func (x *Index) ExportView(ctx context.Context, req *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error {
	fault := x.fault(CallExport)
	if err := fault.wait(ctx); err != nil {
		return err
	}
	if err := x.reach(req.Epoch); err != nil {
		return err
	}
	x.mu.Lock()
	answer := cairn.Answer{Revision: x.assigned.Revision, Index: x.applied}
	of, err := x.selectLocked(req.Read, req.View, req.Version, "", time.Time{})
	x.mu.Unlock()
	if err != nil {
		return err
	}
	of.order(nil)
	keys := make([]cairn.Key, len(of.entries))
	var bitmap strings.Builder
	for i, entry := range of.entries {
		keys[i] = entry.Key
		fmt.Fprintf(&bitmap, "%s\n", entry.Key)
	}
	if err := deliver(cairn.ExportPiece{Answer: answer, Bitmap: []byte(bitmap.String())}); err != nil {
		return err
	}
	if err := fault.after(CallExport); err != nil {
		return err
	}
	return deliver(cairn.ExportPiece{Answer: answer, Keys: keys})
}

// viewStatesLocked are all versions, complete.
func (x *Index) viewStatesLocked() []cairn.ViewState {
	var out []cairn.ViewState
	for _, view := range x.assigned.Views {
		state := cairn.ViewState{View: view.UID, Version: view.Version, Complete: true}
		of, err := x.selectLocked(cairn.Read{Keyspace: view.Keyspace}, view.UID, view.Version, "", time.Time{})
		if err != nil {
			state.Complete, state.Refusal = false, err.Error()
		} else {
			state.Members, state.Bytes = uint64(len(of.entries)), 8*int64(len(of.entries))
		}
		for range x.ownLocked(view.Keyspace) {
			state.Done++
			state.Total++
		}
		out = append(out, state)
	}
	return out
}

// selection is the entries that a question is about.
type selection struct {
	entries []*cairn.Entry
	view    cairn.View
	schema  *cairn.Schema
	filter  *filter.Filter // nil for all
	of      func(cairn.Key) (*cairn.Entry, bool)
}

func (x *Index) selectLocked(read cairn.Read, uid cairn.UID, version uint64, where string, now time.Time) (*selection, error) {
	at := slices.IndexFunc(x.assigned.Keyspaces, func(k cairn.Keyspace) bool { return k.UID == read.Keyspace })
	if at < 0 {
		return nil, cairn.Errorf(cairn.KindStale, "KEYSPACE_UNKNOWN", "the log does not know the keyspace")
	}
	s := &selection{schema: x.assigned.Keyspaces[at].Schema}
	s.of = func(key cairn.Key) (*cairn.Entry, bool) {
		entry, found := x.entries[read.Keyspace][string(key)]
		return entry, found
	}
	if uid != 0 {
		at := slices.IndexFunc(x.assigned.Views, func(v cairn.View) bool { return v.UID == uid && v.Version == version })
		if at < 0 {
			return nil, cairn.Errorf(cairn.KindNotFound, "VIEW_VERSION_UNKNOWN", "this index has no version %d of view %s", version, uid)
		}
		s.view = x.assigned.Views[at]
	}
	var narrow *filter.Filter
	var err error
	if s.view.Filter != "" {
		if s.filter, err = filter.Parse(s.view.Filter, s.schema, filter.View, time.Time{}); err != nil {
			return nil, err
		}
	}
	if where != "" {
		if narrow, err = filter.Parse(where, s.schema, filter.Where, now); err != nil {
			return nil, err
		}
	}
	for entry := range x.ownLocked(read.Keyspace) {
		if (s.filter == nil || s.filter.Match(entry.Attributes)) && (narrow == nil || narrow.Match(entry.Attributes)) {
			s.entries = append(s.entries, entry)
		}
	}
	return s, nil
}

func (s *selection) ask(req *cairn.ViewRequest, reply *cairn.ViewReply) error {
	switch req.Asked {
	case cairn.AskCount:
		reply.Count = uint64(len(s.entries))
	case cairn.AskPage, cairn.AskRank:
		return s.page(req, reply)
	case cairn.AskGroups:
		reply.Groups = s.groups(req.Attributes)
		if len(reply.Groups) > cairn.MaxGroups {
			return &cairn.Error{Kind: cairn.KindExhausted, Reason: "GROUPS_TOO_MANY", Field: "group_by"}
		}
	case cairn.AskAggregate:
		for _, entry := range s.entries {
			if value, present := entry.Attributes.Get(req.Attributes[0]); present {
				reply.Aggregation = reply.Aggregation.Merge(aggregationOf(value))
			}
		}
	case cairn.AskMembership:
		reply.Membership = s.membership(req.Key)
	default:
		return cairn.Errorf(cairn.KindUnimplemented, "ASKED", "question %d", req.Asked)
	}
	return nil
}

// order sorts the entries.
func (s *selection) order(by []cairn.SortField) (page.Sort, []cairn.Position) {
	directions := page.SortOf(by)
	slices.SortFunc(s.entries, func(a, b *cairn.Entry) int { return directions.Compare(positionOf(a, by), positionOf(b, by)) })
	positions := make([]cairn.Position, len(s.entries))
	for i, entry := range s.entries {
		positions[i] = positionOf(entry, by)
	}
	return directions, positions
}

func positionOf(entry *cairn.Entry, by []cairn.SortField) cairn.Position {
	at := cairn.Position{Key: entry.Key}
	for _, field := range by {
		value, _ := entry.Attributes.Get(field.Attribute)
		at.Values = append(at.Values, value)
	}
	return at
}

func (s *selection) page(req *cairn.ViewRequest, reply *cairn.ViewReply) error {
	by := req.OrderBy
	if len(by) == 0 {
		by = s.view.Sort
	}
	directions, positions := s.order(by)
	begin := req.Offset
	if req.After != nil {
		if len(req.After.Values) != len(by) || req.Offset != 0 {
			return cairn.Invalid("cursor", "CURSOR_MISMATCH", "%d values for %d fields, or an offset", len(req.After.Values), len(by))
		}
		begin = 0
		for begin < len(positions) && directions.Compare(positions[begin], *req.After) <= 0 {
			begin++
		}
	}
	if req.Asked == cairn.AskRank {
		reply.Count = uint64(begin)
		return nil
	}
	if req.Limit < 1 || req.Limit > cairn.MaxBatch {
		return cairn.Invalid("limit", "LIMIT_OUT_OF_RANGE", "a limit of %d", req.Limit)
	}
	begin = min(begin, len(positions))
	end := min(begin+req.Limit, len(positions))
	for i, entry := range s.entries[begin:end] {
		row := cairn.ViewRow{Position: positions[begin+i], Nodes: entry.Nodes}
		var shown []cairn.Attribute
		for each := range entry.Attributes.All() {
			if slices.Contains(req.Fields, each.ID) {
				shown = append(shown, each)
			}
		}
		row.Attributes, _ = cairn.NewAttributes(shown) // a part of what is valid
		reply.Rows = append(reply.Rows, row)
	}
	reply.More = end < len(positions)
	return nil
}

func (s *selection) groups(by []cairn.AttributeID) []cairn.Group {
	fields := make([]cairn.SortField, len(by))
	for i, id := range by {
		fields[i] = cairn.SortField{Attribute: id}
	}
	directions, positions := s.order(fields)
	var out []cairn.Group
	for _, at := range positions {
		at.Key = nil
		if last := len(out) - 1; last >= 0 && directions.Compare(cairn.Position{Values: out[last].Values}, at) == 0 {
			out[last].Count++
			continue
		}
		out = append(out, cairn.Group{Values: at.Values, Count: 1})
	}
	return out
}

func aggregationOf(value cairn.Value) cairn.Aggregation {
	out := cairn.Aggregation{Count: 1, Min: value, Max: value}
	switch value.Type() {
	case cairn.TypeInt:
		magnitude := uint64(value.Int())
		if value.Int() < 0 {
			out.Ints = cairn.IntSum{}.Minus(cairn.TimesInt(-magnitude, 1))
		} else {
			out.Ints = cairn.TimesInt(magnitude, 1)
		}
	case cairn.TypeFloat:
		out.Floats = value.Float()
	}
	return out
}

func (s *selection) membership(key cairn.Key) cairn.Membership {
	entry, found := s.of(key)
	if !found || s.filter == nil {
		return cairn.Membership{Found: found, Member: found}
	}
	explanation := s.filter.Explain(entry.Attributes)
	out := cairn.Membership{Found: true, Member: s.filter.Match(entry.Attributes), Truth: explanation.Truth.String()}
	for _, each := range explanation.Deciding {
		out.Deciding = append(out.Deciding, cairn.Decision{
			Truth: each.Truth.String(), Text: each.Text, Line: each.Line, Column: each.Column,
			Attribute: each.Attribute.ID, Value: each.Value,
		})
	}
	return out
}
