package daemon

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"cairn"
)

func (w *sqlWorld) compareCounts(view int) {
	w.t.Helper()
	sel, where := w.selection(view)
	got, err := w.client.CountView(w.t.Context(), sel)
	if err != nil {
		w.t.Fatalf("%+v: %v", sel, err)
	}
	if want := w.db.column("SELECT count(*) FROM entries" + where)[0]; strconv.FormatUint(got.Count, 10) != want {
		w.t.Fatalf("%+v of %+v counts %d, in SQL%s %s", sel, w.views[view], got.Count, where, want)
	}
}

func (w *sqlWorld) compareGroups(view int) {
	w.t.Helper()
	sel, where := w.selection(view)
	fields := []sqlField{w.drawField()}
	if second := w.drawField(); second != fields[0] && w.random.IntN(2) == 0 {
		fields = append(fields, second)
	}
	var by []string
	for _, f := range fields {
		by = append(by, f.name)
	}
	got, err := w.client.GroupView(w.t.Context(), cairn.GroupQuery{Selection: sel, By: by})
	if err != nil {
		w.t.Fatalf("%+v by %v: %v", sel, by, err)
	}
	var lines, columns, order []string
	for _, f := range fields {
		columns = append(columns, f.quoted(f.name))
		order = append(order, f.name+" IS NULL", f.name)
	}
	for _, g := range got.Groups {
		var parts []string
		for _, value := range g.Values {
			parts = append(parts, quoted(value))
		}
		lines = append(lines, strings.Join(append(parts, strconv.Itoa(g.Count)), "|"))
	}
	want := w.db.column(fmt.Sprintf("SELECT %s, count(*) FROM entries%s GROUP BY %s ORDER BY %s",
		strings.Join(columns, ", "), where, strings.Join(by, ", "), strings.Join(order, ", ")))
	if !slices.Equal(lines, want) {
		w.t.Fatalf("%+v of %+v by %v is\n%v, in SQL\n%v", sel, w.views[view], by, lines, want)
	}
}

// quoted is an expression of the attribute's type as text. Floats are eighths,
// since there are several ways to write one.
func (f sqlField) quoted(expression string) string {
	if f.kind == cairn.TypeFloat {
		expression = "CAST(" + expression + " * 8 AS INTEGER)"
	}
	return "quote(" + expression + ")"
}

// quoted is a value as SQLite writes it.
func quoted(v cairn.Value) string {
	switch v.Type() {
	case cairn.TypeFloat:
		return strconv.FormatInt(int64(v.Float()*8), 10)
	case cairn.TypeInt:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return literalOf(v)
	}
}

func (w *sqlWorld) compareAggregates(view int) {
	w.t.Helper()
	sel, where := w.selection(view)
	field := w.drawField()
	got, err := w.client.AggregateView(w.t.Context(), sel, field.name)
	if err != nil {
		w.t.Fatalf("%+v of %s: %v", sel, field.name, err)
	}
	asked := fmt.Sprintf("%s in %+v of %+v", field.name, sel, w.views[view])
	a := got.Aggregation
	row := strings.Split(w.db.column(fmt.Sprintf("SELECT count(%s), %s, %s FROM entries%s",
		field.name, field.quoted("min("+field.name+")"), field.quoted("max("+field.name+")"), where))[0], "|")
	if strconv.Itoa(a.Count) != row[0] || a.Count > 0 && (quoted(a.Min) != row[1] || quoted(a.Max) != row[2]) {
		w.t.Fatalf("%s is %d from %s to %s, in SQL %v", asked, a.Count, quoted(a.Min), quoted(a.Max), row)
	}
	if field.kind == cairn.TypeInt {
		w.compareIntSum(asked, field, where, a)
	}
	if field.kind == cairn.TypeFloat && a.Count > 0 {
		sum, err := a.Sum()
		if err != nil {
			return // beyond the range of floats; SQL says Inf
		}
		want, _ := strconv.ParseFloat(w.db.column(fmt.Sprintf("SELECT sum(%s) FROM entries%s", field.name, where))[0], 64)
		if difference := math.Abs(sum.Float() - want); difference > 1e-9*w.largest(field.name) {
			w.t.Fatalf("%s sums up to %v, in SQL %v", asked, sum, want)
		}
	}
}

// largest is the sum of a float attribute's magnitudes: what a sum's rounding
// is measured by.
func (w *sqlWorld) largest(name string) float64 {
	sum := 1.0
	for _, e := range w.entries {
		if v, present := e[name]; present {
			sum += math.Abs(v.Float())
		}
	}
	return sum
}

// compareIntSum adds high and low halves apart: SQL's sum overflows.
func (w *sqlWorld) compareIntSum(asked string, field sqlField, where string, a cairn.Aggregation) {
	w.t.Helper()
	row := strings.Split(w.db.column(fmt.Sprintf("SELECT coalesce(sum(%[1]s >> 32), 0), coalesce(sum(%[1]s & 4294967295), 0) FROM entries%[2]s", field.name, where))[0], "|")
	high, _ := strconv.ParseInt(row[0], 10, 64)
	low, _ := strconv.ParseInt(row[1], 10, 64)
	high += low >> 32
	low &= 1<<32 - 1
	sum, err := a.Sum()
	fits := high >= math.MinInt32 && high <= math.MaxInt32
	switch {
	case a.Count == 0:
	case fits && (err != nil || sum.Int() != high<<32|low):
		w.t.Fatalf("%s sums up to %v (%v), in SQL to %d", asked, sum, err, high<<32|low)
	case !fits && cairn.ReasonOf(err) != "SUM_OVERFLOW":
		w.t.Fatalf("%s sums up to %v (%v), in SQL it overflows", asked, sum, err)
	}
}

// comparePagesWhileWritesGoOn pages through a view with writes between the
// pages: what was in it throughout, unchanged, comes exactly once.
func (w *sqlWorld) comparePagesWhileWritesGoOn() {
	w.t.Helper()
	view := w.random.IntN(len(w.views))
	v := &w.views[view]
	where := ""
	if v.filter.sql != "" {
		where = " WHERE " + v.filter.sql
	}
	members := func() []string { return w.db.column("SELECT hex(key) FROM entries" + where) }
	before, entries := members(), maps.Clone(w.entries)
	seen := map[string]int{}
	query := cairn.PageQuery{Selection: cairn.Selection{View: v.name, Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: w.token}}, Limit: 7}
	for {
		page, err := w.client.QueryView(w.t.Context(), query)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, row := range page.Rows {
			seen[strings.ToUpper(hex.EncodeToString(row.Key))]++
		}
		if query.Cursor = page.NextCursor; query.Cursor == "" {
			break
		}
		w.writeSome(3)
	}
	after := members()
	for _, key := range before {
		raw, _ := hex.DecodeString(key)
		unchanged := slices.Contains(after, key)
		for _, f := range w.fields {
			old, present := entries[string(raw)][f.name]
			now, still := w.entries[string(raw)][f.name]
			unchanged = unchanged && present == still && (!present || old.Compare(now) == 0)
		}
		if unchanged && seen[key] != 1 {
			w.t.Fatalf("view %+v: key %s was in it throughout and came %d times", v, key, seen[key])
		}
	}
}
