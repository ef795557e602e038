package page_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"cairn"
	"cairn/views/page"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// anyValue generates a value of a type, or null.
func anyValue(t cairn.Type) *rapid.Generator[cairn.Value] {
	return rapid.Custom(func(r *rapid.T) cairn.Value {
		var v cairn.Value
		var err error
		if rapid.IntRange(0, 4).Draw(r, "absent") == 0 {
			return v
		}
		switch t {
		case cairn.TypeString:
			v, err = cairn.String(rapid.StringN(0, 3, -1).Draw(r, "string"))
		case cairn.TypeInt:
			v = cairn.Int(rapid.Int64().Draw(r, "int"))
		case cairn.TypeFloat:
			v, err = cairn.Float(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(r, "float"))
		case cairn.TypeBool:
			v = cairn.Bool(rapid.Bool().Draw(r, "bool"))
		case cairn.TypeTimestamp:
			v, err = cairn.Timestamp(time.Unix(rapid.Int64Range(-1e9, 1e10).Draw(r, "seconds"), 0))
		}
		if err != nil {
			r.Fatal(err)
		}
		return v
	})
}

var anyType = rapid.SampledFrom([]cairn.Type{cairn.TypeString, cairn.TypeInt, cairn.TypeFloat, cairn.TypeBool, cairn.TypeTimestamp})

func anyToken(r *rapid.T) (t cairn.Token) {
	for range rapid.IntRange(0, 3).Draw(r, "clusters") {
		at := cairn.Stamp{Epoch: rapid.Uint64().Draw(r, "epoch"), Index: rapid.Uint64().Draw(r, "index")}
		t = t.With(cairn.UID(rapid.Uint64Range(1, 5).Draw(r, "cluster")), at)
	}
	return t
}

func anyCursor(r *rapid.T) (c page.Cursor, types []cairn.Type) {
	c.View = cairn.UID(rapid.Uint64().Draw(r, "view"))
	c.Version = rapid.Uint64().Draw(r, "version")
	c.Query = rapid.Uint64().Draw(r, "query")
	types = rapid.SliceOfN(anyType, 0, 4).Draw(r, "types")
	for _, t := range types {
		c.Values = append(c.Values, anyValue(t).Draw(r, "value"))
	}
	c.Key = rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(r, "key")
	c.Now = rapid.Int64().Draw(r, "now")
	c.Token = anyToken(r)
	return c, types
}

func TestCursorRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c, types := anyCursor(r)
		text := c.String()
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			r.Fatalf("%q is not URL-safe", text)
		}
		got, err := page.Parse(text)
		if err != nil {
			r.Fatal(err)
		}
		same := cmp.Options{
			cmp.Comparer(func(a, b cairn.Value) bool { return a == b }),
			cmp.Comparer(func(a, b cairn.Token) bool { return a.String() == b.String() }),
		}
		if diff := cmp.Diff(c, got, same); diff != "" {
			r.Fatal(diff)
		}
		if err := got.Check(c.Binding, types...); err != nil {
			r.Fatal(err)
		}
	})
}

func TestCursorRefusesAnythingElse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c, _ := anyCursor(r)
		text := []byte(c.String())
		i := rapid.IntRange(0, len(text)-1).Draw(r, "at")
		with := rapid.SampledFrom([]byte("ABCyz09-_=+/ ")).Draw(r, "with")
		if text[i] == with {
			return
		}
		text[i] = with
		_, err := page.Parse(string(text))
		requireCursorError(r, err, "CURSOR_MALFORMED")
	})
	for _, text := range []string{"", "A", "AQ", "not a cursor", strings.Repeat("A", 100)} {
		_, err := page.Parse(text)
		requireCursorError(t, err, "CURSOR_MALFORMED")
	}
}

func TestCursorOfAnotherQuery(t *testing.T) {
	c := page.Cursor{
		Binding:  page.Binding{View: 1, Version: 2, Query: page.QueryHash("a > 1", "-a")},
		Position: page.Position{Values: []cairn.Value{cairn.Int(7)}, Key: cairn.Key("k")},
	}
	if err := c.Check(c.Binding, cairn.TypeInt); err != nil {
		t.Fatal(err)
	}
	for name, binding := range map[string]page.Binding{
		"another view":    {View: 2, Version: 2, Query: c.Query},
		"another version": {View: 1, Version: 3, Query: c.Query},
		"another query":   {View: 1, Version: 2, Query: page.QueryHash("a > 1-", "a")},
	} {
		t.Run(name, func(t *testing.T) { requireCursorError(t, c.Check(binding, cairn.TypeInt), "CURSOR_MISMATCH") })
	}
	requireCursorError(t, c.Check(c.Binding, cairn.TypeFloat), "CURSOR_MISMATCH")
	requireCursorError(t, c.Check(c.Binding), "CURSOR_MISMATCH")
}

func requireCursorError(t rapid.TB, err error, reason string) {
	t.Helper()
	e, ok := err.(*cairn.Error)
	if !ok || e.Kind != cairn.KindInvalid || e.Field != "cursor" || e.Reason != reason {
		t.Fatalf("got %#v, want %s", err, reason)
	}
}

func FuzzParse(f *testing.F) {
	name, _ := cairn.String("héllo")
	ratio, _ := cairn.Float(-0.5)
	at, _ := cairn.Timestamp(time.Unix(1, 0))
	for _, values := range [][]cairn.Value{nil, {{}}, {name, cairn.Int(-3)}, {ratio, at, cairn.Bool(true), {}}} {
		c := page.Cursor{Binding: page.Binding{View: 9, Version: 300, Query: 1}, Position: page.Position{Values: values, Key: cairn.Key("\x00key")}}
		f.Add(c.String())
		c.Now, c.Token = 1_700_000_000_000_000, cairn.Token{}.With(3, cairn.Stamp{Epoch: 7, Index: 9})
		f.Add(c.String())
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := page.Parse(text)
		if err != nil {
			requireCursorError(t, err, "CURSOR_MALFORMED")
			return
		}
		if c.String() != text {
			t.Fatalf("%q reads as %q", text, c.String())
		}
	})
}

func BenchmarkCursor(b *testing.B) {
	c := page.Cursor{
		Binding:  page.Binding{View: 1, Version: 1, Query: 1},
		Position: page.Position{Values: []cairn.Value{cairn.Int(1)}, Key: cairn.Key("user:000000000000001")},
		Now:      1_700_000_000_000_000,
		Token:    cairn.Token{}.With(1, cairn.Stamp{Epoch: 7, Index: 9}).With(2, cairn.Stamp{Epoch: 8, Index: 1000}),
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := page.Parse(c.String()); err != nil {
			b.Fatal(err)
		}
	}
}
