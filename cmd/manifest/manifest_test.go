package manifest

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn"
	"cairn/shardmap/catalog"
)

var rewrite = flag.Bool("rewrite", false, "write the expected errors and manifests in testdata anew")

// TestBad reads testdata/bad.txt: each case's manifest must be refused with
// the error that stands there.
func TestBad(t *testing.T) {
	const path = "testdata/bad.txt"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(data), "\n-- ")
	out := head + "\n"
	for _, text := range strings.Split(rest, "\n-- ") {
		name, text, _ := strings.Cut(text, "\n")
		input, want, found := strings.Cut(text, "\n>> ")
		if !found {
			t.Fatalf("%s: no >>", name)
		}
		input += "\n"
		f, err := Parse("bad.yaml", []byte(input))
		if err == nil {
			t.Errorf("%s: read as %+v", name, f.Resources)
			continue
		}
		if cairn.KindOf(err) != cairn.KindInvalid {
			t.Errorf("%s: of kind %s", name, cairn.KindOf(err))
		}
		if !regexp.MustCompile(`^bad\.yaml:\d+:\d+: `).MatchString(err.Error()) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: does not say where in one line: %q", name, err)
		}
		if got := err.Error(); !*rewrite && got != strings.TrimSpace(want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		out += "-- " + name + "\n" + input + ">> " + err.Error() + "\n\n"
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGood reads the manifests of testdata/good, and compares what is written
// of them with the file beside each.
func TestGood(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(path, data)
		if err != nil {
			t.Error(err)
			continue
		}
		written := Write(f.Resources)
		golden := strings.TrimSuffix(path, ".yaml") + ".written"
		if *rewrite {
			if err := os.WriteFile(golden, written, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(written)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		again, err := Parse("written.yaml", written)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f.Resources, again.Resources); diff != "" {
			t.Errorf("%s, written and read: %s", path, diff)
		}
	}
}

func TestPosition(t *testing.T) {
	data, err := os.ReadFile("testdata/good/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("design.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"keyspaces/runways.attributes.length_ft.type": "design.yaml:8:19",
		"keyspaces/runways.attributes.length_ft.wood": "design.yaml:8:3",
		"keyspaces/runways.replicas":                  "design.yaml:4:1",
		"keyspaces/runways":                           "design.yaml:1:1",
		"clusters/north.nodes.north-a.address":        "design.yaml:17:5",
		"clusters/north.nodes[0].address":             "design.yaml:17:21",
		"clusters/north.index.replicas[0]":            "design.yaml:15:20",
	} {
		if p, found := f.Position(field); !found || p.String() != want {
			t.Errorf("%s is at %s, want %s", field, p, want)
		}
	}
	if p, found := f.Position("keyspaces/other.replicas"); found {
		t.Errorf("a field of another resource is at %s", p)
	}
}

// TestFilterPosition points at a filter's text, from which the places in it are
// counted.
func TestFilterPosition(t *testing.T) {
	for text, want := range map[string]string{
		"filter: lighted":            "f.yaml:5:9",
		"filter: \"lighted\"":        "f.yaml:5:9",
		"filter:\n  lighted":         "f.yaml:6:3",
		"filter: |\n  a\n   && b":    "f.yaml:6:3",
		"filter: |- # c\n\n    a\n":  "f.yaml:6:5",
		"filter: >\n   a\n   && b\n": "f.yaml:6:4",
		"sort: [-a]":                 "f.yaml:2:1", // the view
	} {
		f, err := Parse("f.yaml", []byte("---\nkind: View\nname: v\nkeyspace: k\n"+text+"\n"))
		if err != nil {
			t.Error(err)
			continue
		}
		if p, found := f.Position("views/v.filter"); !found || p.String() != want {
			t.Errorf("%q is at %s, want %s", text, p, want)
		}
	}
}

func TestWritesAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		splits := rapid.SliceOfNDistinct(rapid.OneOf(
			rapid.SliceOfN(rapid.Byte(), 1, 20),
			rapid.Map(rapid.StringN(1, 10, -1), func(s string) []byte { return []byte(s) }),
			rapid.Map(rapid.SampledFrom([]string{"true", "No", "~", "1e3", "0x1f", "- a", "a: b", "#", "'", `"`, `\`, " a ", "!!binary", "*a", "&a", "%", "@", "`", "{", "2026-01-01", ".inf", "\u2028", "\u0085", "\ufeff", "|", ">", "?"}),
				func(s string) []byte { return []byte(s) }),
		), 0, 5, func(b []byte) string { return string(b) }).Draw(t, "splits")
		for i := range splits {
			for j := i; j > 0 && string(splits[j-1]) > string(splits[j]); j-- {
				splits[j-1], splits[j] = splits[j], splits[j-1]
			}
		}
		want := []catalog.Resource{{Keyspace: &catalog.KeyspaceSpec{
			Name: "k", Placement: cairn.Placement{Scheme: cairn.SchemeRange}, InitialSplits: splits,
		}}, {Keyspace: &catalog.KeyspaceSpec{
			Name: "true", Placement: cairn.Placement{Scheme: cairn.SchemeHash, Affinity: rapid.StringN(0, 5, 64).Draw(t, "affinity")},
		}}}
		want = append(want, catalog.Resource{View: &catalog.ViewSpec{
			Name: "no", Keyspace: "k", Sort: []string{"-a", "_b", "-no"}, Fields: []string{"y", "a"},
			Filter: rapid.OneOf(rapid.StringN(0, 8, -1), rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{
				"a", " ", "\n", "&&", "\t", ": ", "#", "|", "-", "\"x\"", "---\n", "true", "(", "\r", "\u00a0", "!", "é"}), 0, 8),
				func(parts []string) string { return strings.Join(parts, "") })).Draw(t, "filter"),
		}})
		if len(splits) == 0 {
			want[0].Keyspace.InitialSplits = nil
		}
		written := Write(want)
		f, err := Parse("written.yaml", written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(want, f.Resources); diff != "" {
			t.Fatalf("%s\n%s", diff, written)
		}
	})
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(paths, "testdata/bad.txt") {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, text := range strings.Split(string(data), "\n>> ") {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := Parse("fuzz.yaml", data)
		if err != nil {
			if cairn.KindOf(err) != cairn.KindInvalid {
				t.Fatal(err)
			}
			return
		}
		written := Write(read.Resources)
		again, err := Parse("written.yaml", written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(read.Resources, again.Resources); diff != "" {
			t.Fatalf("%s\n%s", diff, written)
		}
	})
}
