package nodeindex

import (
	"cmp"
	"slices"
	"strings"

	"cairn"

	"pgregory.net/rapid"
)

// modelView is a view that the model can work out by itself.
type modelView struct {
	filter string
	sort   []cairn.SortField
	member func(size, name cairn.Value) bool
}

func present(v cairn.Value) bool { return v.Type() != cairn.TypeNull }

var modelViews = []modelView{
	{"", []cairn.SortField{{Attribute: 2, Descending: true}}, func(size, name cairn.Value) bool { return true }},
	{"size >= 5", []cairn.SortField{{Attribute: 2, Descending: true}}, func(size, name cairn.Value) bool {
		return present(size) && size.Int() >= 5
	}},
	{`!(size == 3) && name != "a"`, []cairn.SortField{{Attribute: 1}, {Attribute: 2}}, func(size, name cairn.Value) bool {
		return present(size) && present(name) && size.Int() != 3 && name.Text() != "a"
	}},
	{`!has(size) || name.startsWith("b")`, nil, func(size, name cairn.Value) bool {
		return !present(size) || present(name) && strings.HasPrefix(name.Text(), "b")
	}},
}

// drawViews draws which versions of a keyspace's views there are: version n of
// a view is modelViews[n].
func drawViews(t *rapid.T, uid cairn.UID) (views []cairn.View) {
	for view := range cairn.UID(2) {
		for version := range modelViews {
			if rapid.IntRange(0, 2).Draw(t, "view") == 0 {
				views = append(views, cairn.View{
					UID: uid<<8 | view + 1, Name: "v", Keyspace: uid, Version: uint64(version + 1),
					Filter: modelViews[version].filter, Sort: modelViews[version].sort,
				})
			}
		}
	}
	return views
}

type modelRow struct {
	key        string
	nodes      []cairn.NodeID
	size, name cairn.Value
}

// rows are a view's rows by the model.
func (m *model) rows(uid cairn.UID, view modelView) []modelRow {
	var rows []modelRow
	for key, e := range m.entries[uid] {
		row := modelRow{key: key, nodes: e.nodes}
		row.size, _ = cairn.Attributes(e.attributes).Get(2)
		row.name, _ = cairn.Attributes(e.attributes).Get(1)
		if view.member(row.size, row.name) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b modelRow) int {
		for _, field := range view.sort {
			x, y := a.size, b.size
			if field.Attribute == 1 {
				x, y = a.name, b.name
			}
			order := 0
			switch {
			case !present(x) || !present(y):
				order = cmp.Compare(btoi(present(y)), btoi(present(x)))
			case field.Descending:
				order = y.Compare(x)
			default:
				order = x.Compare(y)
			}
			if order != 0 {
				return order
			}
		}
		return strings.Compare(a.key, b.key)
	})
	return rows
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func askPage(view cairn.View, after *cairn.Position, limit int) *cairn.ViewRequest {
	return &cairn.ViewRequest{
		Read: cairn.Read{Keyspace: view.Keyspace, Level: cairn.Linearizable}, View: view.UID, Version: view.Version,
		Asked: cairn.AskPage, After: after, Limit: limit, Fields: []cairn.AttributeID{1, 2},
	}
}

// compareViews holds what every view answers against the model. One that is
// being built is passed over.
func (m *model) compareViews(t *rapid.T, x *Index, uid cairn.UID) {
	for _, view := range m.views[uid] {
		want := m.rows(uid, modelViews[view.Version-1])
		var got []cairn.ViewRow
		var after *cairn.Position
		building := false
		for {
			var reply cairn.ViewReply
			err := x.AskView(askPage(view, after, 7), &reply)
			if cairn.ReasonOf(err) == "VIEW_BUILDING" {
				building = true
				break
			}
			expect(t, err == nil, "page of view %+v: %v", view, err)
			got = append(got, reply.Rows...)
			if !reply.More {
				break
			}
			after = &reply.Rows[len(reply.Rows)-1].Position
		}
		if building {
			continue
		}
		expect(t, len(got) == len(want), "view %+v: %d rows, want %d: %v %v", view, len(got), len(want), got, want)
		for i, row := range got {
			w := want[i]
			size, _ := row.Attributes.Get(2)
			name, _ := row.Attributes.Get(1)
			expect(t, string(row.Key) == w.key && slices.Equal(row.Nodes, w.nodes) && size == w.size && name == w.name,
				"view %+v: row %d is %+v, want %+v", view, i, row, w)
		}
		var reply cairn.ViewReply
		err := x.AskView(&cairn.ViewRequest{
			Read: cairn.Read{Keyspace: uid, Level: cairn.Linearizable}, View: view.UID, Version: view.Version, Asked: cairn.AskCount,
		}, &reply)
		expect(t, err == nil && reply.Count == uint64(len(want)), "view %+v counts %d, want %d: %v", view, reply.Count, len(want), err)
	}
	var reply cairn.ViewReply
	err := x.AskView(&cairn.ViewRequest{Read: cairn.Read{Keyspace: uid, Level: cairn.Linearizable}, Where: "size < 5", Asked: cairn.AskCount}, &reply)
	if err == nil && reply.Fingerprint != 0 {
		want := 0
		for _, e := range m.entries[uid] {
			if size, found := cairn.Attributes(e.attributes).Get(2); found && size.Int() < 5 {
				want++
			}
		}
		expect(t, reply.Count == uint64(want), "all with size < 5: %d, want %d", reply.Count, want)
	}
}

// Settle writes a checkpoint and builds all views.
func (m *machine) Settle(t *rapid.T) {
	if m.frozen != nil {
		m.frozen.Discard()
		m.frozen = nil
	}
	m.checkpoint(t)
	for m.x.Work() {
	}
	var err error
	for err = m.x.FillViews(t.Context()); err != nil; err = m.x.FillViews(t.Context()) {
		// An image that was lost or is of other attributes: the entries are there.
		expect(t, slices.Contains([]string{"IMAGE_MISSING", "IMAGE_SCHEMA"}, cairn.ReasonOf(err)), "fill: %v", err)
		m.checkpoint(t)
	}
	for m.x.Work() {
	}
	states := make(map[cairn.UID]map[uint64]cairn.ViewState)
	for _, state := range m.x.Status().Views {
		if states[state.View] == nil {
			states[state.View] = make(map[uint64]cairn.ViewState)
		}
		states[state.View][state.Version] = state
	}
	for uid, views := range m.views {
		m.compareViews(t, m.x, uid)
		for _, view := range views {
			state := states[view.UID][view.Version]
			want := len(m.rows(uid, modelViews[view.Version-1]))
			expect(t, state.Complete && state.Members == uint64(want), "view %+v is %+v, want %d members", view, state, want)
		}
	}
}

func (m *machine) checkpoint(t *rapid.T) {
	c, err := m.x.Freeze()
	expect(t, err == nil, "freeze: %v", err)
	index, term := c.Position()
	err = c.Write(CheckpointMeta{Index: index, Term: term})
	expect(t, err == nil, "write: %v", err)
}

// askAtRandom asks a question whose answer is not known, beside everything
// else.
func askAtRandom(x *Index, uid cairn.UID, i int) error {
	var reply cairn.ViewReply
	req := askPage(cairn.View{UID: uid<<8 | 1, Keyspace: uid, Version: uint64(i%len(modelViews) + 1)}, nil, 5)
	req.Level = cairn.Eventual
	if i%3 == 0 {
		req.Asked, req.Key = cairn.AskMembership, modelKey(i%60)
	}
	switch err := x.AskView(req, &reply); cairn.ReasonOf(err) {
	case "", "VIEW_BUILDING", "VIEW_VERSION_UNKNOWN", "NOT_OWNED": // each of them may come between two steps
		return nil
	default:
		return err
	}
}
