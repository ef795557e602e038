package filter

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"cairn"
)

var rewrite = flag.Bool("rewrite", false, "write the expected answers in testdata anew")

// noon is the present of the tests.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// testSchema is the one that testdata/refused.txt describes.
func testSchema(t testing.TB) *cairn.Schema {
	t.Helper()
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "name", Type: cairn.TypeString},
		{ID: 2, Name: "length", Type: cairn.TypeInt},
		{ID: 3, Name: "depth", Type: cairn.TypeFloat},
		{ID: 4, Name: "lighted", Type: cairn.TypeBool},
		{ID: 5, Name: "seen", Type: cairn.TypeTimestamp},
		{ID: 6, Name: "note", Type: cairn.TypeString, Unindexed: true},
		{ID: 7, Name: "city", Type: cairn.TypeString},
		{ID: 8, Name: "width", Type: cairn.TypeInt},
		{ID: 9, Name: "score", Type: cairn.TypeFloat},
		{ID: 10, Name: "closed", Type: cairn.TypeBool},
		{ID: 11, Name: "built", Type: cairn.TypeTimestamp},
	})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func mustParse(t testing.TB, expression string, mode Mode) *Filter {
	t.Helper()
	f, err := Parse(expression, testSchema(t), mode, noon)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return f
}

// table runs the cases of a file in testdata: each has a heading of a mode and
// what it shows, an input, and after ">>" the answer.
func table(t *testing.T, path string, answer func(t *testing.T, mode Mode, input string) string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(data), "\n-- ")
	out := head + "\n"
	for _, each := range strings.Split(rest, "\n-- ") {
		name, body, _ := strings.Cut(each, "\n")
		input, want, found := strings.Cut(body, "\n>>")
		if !found {
			t.Fatalf("%s: no >>", name)
		}
		mode := View
		if strings.HasPrefix(name, "where") {
			mode = Where
		}
		got := answer(t, mode, input)
		if !*rewrite && got != strings.TrimSpace(want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, strings.TrimSpace(want))
		}
		out += "-- " + name + "\n" + input + "\n>> " + got + "\n\n"
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var messageForm = regexp.MustCompile(`^(filter|where): \d+:\d+: [^\n]+$`)

func TestRefused(t *testing.T) {
	schema := testSchema(t)
	table(t, "testdata/refused.txt", func(t *testing.T, mode Mode, input string) string {
		f, err := Parse(input, schema, mode, noon)
		switch {
		case err == nil:
			t.Errorf("%s: accepted as %s", input, f)
			return ""
		case cairn.KindOf(err) != cairn.KindInvalid || !messageForm.MatchString(err.Error()):
			t.Errorf("%s: of kind %s, with the message %q", input, cairn.KindOf(err), err)
		}
		return cairn.ReasonOf(err) + " " + err.Error()
	})
}

func TestCanonical(t *testing.T) {
	table(t, "testdata/canonical.txt", func(t *testing.T, mode Mode, input string) string {
		f := mustParse(t, input, mode)
		if again := mustParse(t, f.String(), mode).String(); again != f.String() {
			t.Errorf("%s: the canonical form of\n%s\nis\n%s", input, f, again)
		}
		return f.String()
	})
}

func TestRefusedBounds(t *testing.T) {
	schema := testSchema(t)
	var list strings.Builder
	for i := range MaxTerms {
		fmt.Fprintf(&list, "%d,", i*7)
	}
	for _, c := range []struct{ name, expression, want string }{
		{"long", "name == \"" + strings.Repeat("x", MaxLength) + "\"", "FILTER_TOO_LONG"},
		{"a long string", "name == \"" + strings.Repeat("x", cairn.MaxStringLength+1) + "\"", "FILTER_VALUE"},
		{"parentheses", strings.Repeat("(", 1000) + "lighted" + strings.Repeat(")", 1000), "FILTER_TOO_DEEP"},
		{"negations", strings.Repeat("!(", 100) + "lighted" + strings.Repeat(")", 100), "FILTER_TOO_DEEP"},
		{"operators", "length > 1" + strings.Repeat(" - 1", 100), "FILTER_TOO_DEEP"},
		{"lists", "length in " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "FILTER_TOO_DEEP"},
		{"terms", "lighted" + strings.Repeat("||lighted", MaxTerms), "FILTER_TOO_MANY_TERMS"},
		{"elements", "length in [" + list.String() + "]", "FILTER_TOO_MANY_TERMS"},
		{"not UTF-8", "lighted &&\n name == \"\xff\"", "FILTER_SYNTAX"},
	} {
		_, err := Parse(c.expression, schema, View, noon)
		if cairn.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && (!messageForm.MatchString(err.Error()) || len(err.Error()) > 300) {
			t.Errorf("%s: the message is %q", c.name, err)
		}
	}
	for name, expression := range map[string]string{
		"many negations": strings.Repeat("!", 5001) + "lighted",
		"a long chain":   "lighted" + strings.Repeat(" && lighted", MaxTerms-1),
		"most elements":  "length in [" + strings.TrimSuffix(list.String(), "7161,") + "]",
		"parentheses":    strings.Repeat("(", MaxDepth-1) + "lighted" + strings.Repeat(")", MaxDepth-1),
	} {
		if _, err := Parse(expression, schema, View, noon); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
