package main

import (
	"strings"
	"testing"

	"cairn"
)

// The caret stands under the place, whatever is wide or invisible before it.
func TestPointed(t *testing.T) {
	for _, c := range []struct{ condition, message, want string }{
		{"a > 1", "1:3: what", "--where: 1:3: what\n    a > 1\n      ^"},
		{"é == \"ü\" && b", "1:13: what", "--where: 1:13: what\n    é == \"ü\" && b\n                ^"},
		{"a &&\r\n\tb", "2:2: what", "--where: 2:2: what\n    \tb\n    \t^"},
		{"a &&", "1:5: it ends", "--where: 1:5: it ends\n    a &&\n        ^"},
		{"a", "2:1: beyond the text", "--where: 2:1: beyond the text"},
		{"a", "no place at all", "--where: no place at all"},
	} {
		err := pointed(cairn.Invalid("--where", "FILTER", "%s", c.message), c.condition)
		if err.Error() != c.want {
			t.Errorf("%q:\n%s\nwant\n%s", c.condition, err, c.want)
		}
		if cairn.ReasonOf(err) != "FILTER" || codeOf(err) != exitUsage {
			t.Errorf("%q: the error has lost its reason: %v", c.condition, err)
		}
	}
}

// A screen's last line stays free for the cursor, and says what is missing.
func TestFirstLines(t *testing.T) {
	text := "a\nb\nc\nd\n"
	for most, want := range map[int]string{4: text, 9: text, 3: "a\nb\n... and 2 more lines\n", 2: "a\n... and 3 more lines\n", 1: text} {
		if got := firstLines(text, most); got != want {
			t.Errorf("%d lines: %q, want %q", most, got, want)
		}
	}
}

// Answers that say the same are shown once, however fresh they are.
func TestAnsweredSame(t *testing.T) {
	row := func(n int64) []rowDocument {
		return []rowDocument{{keyField: keyField{Key: "k"}, Attributes: attributesOf(cairn.NamedValues{{Name: "n", Value: cairn.Int(n)}})}}
	}
	first := answered{content: row(1), next: "one"}
	for what, c := range map[string]struct {
		other answered
		same  bool
	}{
		"another cursor":   {answered{content: row(1), next: "other"}, true},
		"another value":    {answered{content: row(2), next: "one"}, false},
		"the last page":    {answered{content: row(1)}, false},
		"a missing part":   {answered{content: row(1), next: "one", missing: []cairn.MissingCluster{{Cluster: "far"}}}, false},
		"another question": {answered{content: uint64(1), next: "one"}, false},
	} {
		if got := first.same(c.other); got != c.same {
			t.Errorf("%s: same is %t", what, got)
		}
	}
}

// Each pair of flags for different questions is refused by name.
func TestTogetherOnly(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--count --sum a", "--count and --sum"},
		{"--group-by a --mean b", "--group-by and --mean"},
		{"--max a --cursor b", "--max and --cursor"},
		{"--count --fields a", "--count and --fields"},
		{"--group-by a --order-by b", "--group-by and --order-by"},
		{"--sum a --mean a,b --min c", ""},
		{"--limit 3 --offset 2 --order-by -a --fields b --explain", ""},
		{"--group-by a --top 3 --watch", ""},
	} {
		cmd := newQuery(&options{})
		if err := cmd.ParseFlags(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		switch err := togetherOnly(cmd); {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", c.args, err)
		}
	}
}
