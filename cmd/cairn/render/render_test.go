package render_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"cairn"
	"cairn/cmd/cairn/render"
)

func TestFormats(t *testing.T) {
	type result struct {
		Key        string   `json:"key"`
		Count      int64    `json:"count"`
		Attributes any      `json:"attributes"`
		Nodes      []string `json:"nodes"`
		Rows       []any    `json:"rows"`
	}
	document := result{
		Key: "<a&b>", Count: math.MaxInt64, Attributes: map[string]any{}, Nodes: []string{"north-a", "12", "yes", "\a"},
		Rows: []any{map[string]any{"id": 1, "of": []int{1, 2}}, []any{}, nil, true},
	}
	for format, want := range map[render.Format]string{
		render.JSON: `{
  "key": "<a&b>",
  "count": 9223372036854775807,
  "attributes": {},
  "nodes": [
    "north-a",
    "12",
    "yes",
    "\u0007"
  ],
  "rows": [
    {
      "id": 1,
      "of": [
        1,
        2
      ]
    },
    [],
    null,
    true
  ]
}
`,
		render.YAML: `key: "<a&b>"
count: 9223372036854775807
attributes: {}
nodes:
  - north-a
  - "12"
  - "yes"
  - "\u0007"
rows:
  - id: 1
    of:
      - 1
      - 2
  - []
  - null
  - true
`,
		render.Table: "the table\n",
	} {
		var out bytes.Buffer
		err := render.Write(&out, format, document, func(w io.Writer) error {
			_, err := io.WriteString(w, "the table\n")
			return err
		})
		if err != nil || out.String() != want {
			t.Errorf("%s, %v:\n%s", format, err, out.String())
		}
	}
	var f render.Format
	if err := f.Set("xml"); cairn.ReasonOf(err) != "OUTPUT_FORMAT" {
		t.Errorf("a format that does not exist: %v", err)
	}
}

// YAML that is printed reads back as the document that was printed.
func TestYAMLRoundTrip(t *testing.T) {
	var document *rapid.Generator[any]
	document = rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 6).Draw(t, "shape") {
		case 0:
			return rapid.String().Draw(t, "string")
		case 1:
			return rapid.Float64Range(-1e300, 1e300).Draw(t, "float")
		case 2:
			return rapid.Bool().Draw(t, "bool")
		case 3:
			return nil
		case 4:
			out := []any{}
			for range rapid.IntRange(0, 3).Draw(t, "elements") {
				out = append(out, document.Draw(t, "element"))
			}
			return out
		default:
			out := map[string]any{}
			for range rapid.IntRange(0, 3).Draw(t, "fields") {
				out[rapid.StringMatching(`[a-z_ :0-9-]{1,6}`).Draw(t, "name")] = document.Draw(t, "field")
			}
			return out
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]any{"document": document.Draw(t, "document")}
		var out bytes.Buffer
		if err := render.Write(&out, render.YAML, want, nil); err != nil {
			t.Fatal(err)
		}
		var read any
		if err := yaml.Unmarshal(out.Bytes(), &read); err != nil {
			t.Fatalf("%v:\n%s", err, out.String())
		}
		if got, want := numbersAsFloats(t, read), numbersAsFloats(t, want); !reflect.DeepEqual(got, want) {
			t.Fatalf("%#v became\n%s\nwhich reads as %#v", want, out.String(), got)
		}
	})
}

func numbersAsFloats(t *rapid.T, document any) (out any) {
	text, err := json.Marshal(document)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGrid(t *testing.T) {
	grid := render.Grid{Header: []string{"KEY", "COUNT", "NOTE"}, Right: []int{1}, Indent: "  "}
	grid.Row("é", "12,345", "")
	grid.Row("a long one", "7", "last")
	grid.Row("short row")
	var out strings.Builder
	if err := grid.Write(&out); err != nil {
		t.Fatal(err)
	}
	const want = `
  KEY          COUNT  NOTE
  é           12,345
  a long one       7  last
  short row
`
	if out.String() != want[1:] {
		t.Errorf("got\n%s", out.String())
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		render.Count(0):                             "0",
		render.Count(999):                           "999",
		render.Count(48184):                         "48,184",
		render.Count(-1000):                         "-1,000",
		render.Count(uint64(1234)):                  "1,234",
		render.Count(uint64(math.MaxUint64)):        "18,446,744,073,709,551,615",
		render.Counted(1, "shard", "shards"):        "1 shard",
		render.Counted(1000, "shard", "shards"):     "1,000 shards",
		render.Duration(812):                        "812 ns",
		render.Duration(81_430):                     "81.4 µs",
		render.Duration(1_234_000):                  "1.23 ms",
		render.Duration(123 * time.Second):          "2m3s",
		render.Duration(1500 * time.Millisecond):    "1.50 s",
		render.Duration(-1500 * time.Millisecond):   "-1.50 s",
		render.Duration(345_600 * time.Microsecond): "346 ms",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A float is a number to readers of YAML whatever its size.
func TestYAMLFloats(t *testing.T) {
	for _, number := range []float64{math.MinInt64, -1e19, 2e19, 1e300, 0.5, -0.25, 7} {
		var out bytes.Buffer
		if err := render.Write(&out, render.YAML, map[string]any{"n": number}, nil); err != nil {
			t.Fatal(err)
		}
		var read struct{ N any }
		if err := yaml.Unmarshal(out.Bytes(), &read); err != nil {
			t.Fatal(err)
		}
		if _, text := read.N.(string); text {
			t.Errorf("%g is printed as %swhich is text", number, out.String())
		}
	}
}
