package records_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"cairn"
	"cairn/cmd/cairn/keytext"
	"cairn/cmd/cairn/records"
)

var declared = []cairn.AttributeSpec{
	{ID: 1, Name: "closed", Type: cairn.TypeBool},
	{ID: 2, Name: "length_ft", Type: cairn.TypeInt},
	{ID: 3, Name: "opened", Type: cairn.TypeTimestamp},
	{ID: 4, Name: "slope", Type: cairn.TypeFloat},
	{ID: 5, Name: "surface", Type: cairn.TypeString},
}

func mapping(t testing.TB, key string, columns map[string]string) records.Mapping {
	t.Helper()
	attributes, err := records.NewMapping(declared, columns)
	if err != nil {
		t.Fatal(err)
	}
	return records.Mapping{Key: key, Attributes: attributes}
}

// outcomes are what a reader says, a line for each row.
func outcomes(r records.Reader) string {
	var out strings.Builder
	for {
		row, err := r.Next()
		if err == io.EOF {
			return out.String()
		}
		var bad *records.BadRow
		switch {
		case errors.As(err, &bad):
			out.WriteString("bad " + err.Error() + "\n")
		case err != nil:
			out.WriteString("end " + err.Error() + "\n")
			return out.String()
		default:
			text, _ := json.Marshal(map[string]any{
				"line": row.Line, "key": row.Key.String(), "node": row.Node, "replicas": row.Replicas, "attributes": records.Attributes(row.Attributes),
			})
			out.WriteString("row " + string(text) + "\n")
		}
	}
}

func TestCSV(t *testing.T) {
	const file = "\xef\xbb\xbfid,surface,length,ignored,closed,slope,opened,where\r\n" +
		"1,ASPH,9223372036854775807,x,1,-0.5,2026-01-31T09:30:00Z,north-a\r\n" +
		"2,,,,,,,\n" +
		"3,GRVL,12a,,,,,\n" +
		"\"4\",\"two\nlines\",,,yes,,,\n" +
		"5,short\n" +
		"6,a\"b,,,,,,\n" +
		"7,,,,,NaN,,\n" +
		"8,,,,,,yesterday,\n" +
		"9,,,,,,10000-01-01T00:00:00Z,\n" +
		",,,,,,,\n" +
		"\xff,,,,,,,\n" +
		"last,,-7,,false,,,\n" +
		"open,\"never closed,,,,,,\n"
	m := mapping(t, "id", map[string]string{"length_ft": "length"})
	m.Node = "where"
	r, err := records.NewCSV("runways.csv", strings.NewReader(file), m)
	if err != nil {
		t.Fatal(err)
	}
	const want = `row {"attributes":{"closed":true,"length_ft":9223372036854775807,"opened":"2026-01-31T09:30:00Z","slope":-0.5,"surface":"ASPH"},"key":"1","line":2,"node":"north-a","replicas":null}
row {"attributes":{},"key":"2","line":3,"node":"","replicas":null}
bad runways.csv:4:8: column "length": "12a" is not an int (a whole number of 64 bits)
bad runways.csv:6:10: column "closed": "yes" is not a bool (true, false, 1 or 0)
bad runways.csv:7:1: not as many cells as the header has columns
bad runways.csv:8:4: a quote inside an unquoted cell; put the cell in quotes and double those inside: "a ""b"" c"
bad runways.csv:9:7: column "slope": NaN is not a finite number
bad runways.csv:10:8: column "opened": "yesterday" is not a timestamp (as in 2026-01-31T09:30:00Z)
bad runways.csv:11:8: column "opened": "10000-01-01T00:00:00Z" is not a timestamp (as in 2026-01-31T09:30:00Z)
bad runways.csv:12:1: column "id": the key is empty; a key has 1 to 1024 bytes
bad runways.csv:13:1: column "id": "\xff" is not UTF-8; spell it with --key-encoding hex or base64
row {"attributes":{"closed":false,"length_ft":-7},"key":"last","line":14,"node":"","replicas":null}
bad runways.csv:15:26: a quoted cell that is not closed, or has something behind its closing quote (found in line 15)
`
	if diff := cmp.Diff(want, outcomes(r)); diff != "" {
		t.Error(diff)
	}
	if r.Missing() != nil {
		t.Errorf("missing columns %v", r.Missing())
	}
}

func TestCSVHeader(t *testing.T) {
	for name, test := range map[string]struct {
		header, key, node string
		columns           map[string]string
		reason            string
	}{
		"empty":         {"", "id", "", nil, "CSV_HEADER_MISSING"},
		"no key named":  {"id,surface", "", "", nil, "KEY_COLUMN_MISSING"},
		"no such key":   {"id,surface", "ident", "", nil, "COLUMN_MISSING"},
		"no such node":  {"id,surface", "id", "node", nil, "COLUMN_MISSING"},
		"asked for":     {"id,surface", "id", "", map[string]string{"surface": "top"}, "COLUMN_MISSING"},
		"twice":         {"id,surface,surface", "id", "", nil, "COLUMN_TWICE"},
		"key twice":     {"id,id", "id", "", nil, "COLUMN_TWICE"},
		"broken header": {"id,\"sur\"face", "id", "", nil, "CSV_QUOTE"},
	} {
		t.Run(name, func(t *testing.T) {
			m := mapping(t, test.key, test.columns)
			m.Node = test.node
			_, err := records.NewCSV("f.csv", strings.NewReader(test.header), m)
			if cairn.KindOf(err) != cairn.KindInvalid || cairn.ReasonOf(err) != test.reason {
				t.Errorf("%v, want reason %s", err, test.reason)
			}
		})
	}
	r, err := records.NewCSV("f.csv", strings.NewReader("id,surface"), mapping(t, "id", nil))
	if err != nil || len(r.Missing()) != 4 {
		t.Errorf("%v, missing %v; a declared attribute may have no column", err, r.Missing())
	}
	if _, err := records.NewMapping(declared, map[string]string{"colour": "c"}); cairn.ReasonOf(err) != "ATTRIBUTE_UNKNOWN" {
		t.Errorf("an attribute that is not declared: %v", err)
	}
}

func TestNDJSON(t *testing.T) {
	const file = `{"id":1,"surface":"ASPH","length_ft":9223372036854775807,"closed":1,"more":{"x":[1,2]}}
{"id":"two","surface":null,"slope":5}

{"id":3,"length_ft":"12"}
{"id":4,"length_ft":1.5}
{"id":5,"closed":2}
{"id":6,"surface":"a","surface":"b"}
{"surface":"no key"}
{"id":8,"surface":"\ud800 alone"}
{"id":9,"surface":"\ud83d\ude00"}
{"id":10
{"id":11} {"id":12}
[1,2]
{"id":13,"surface":tru}
{"id":14,"opened":"2026-01-31T10:30:00.123456789+01:00"}
{"key":"15","attributes":{"length_ft":7}}
{"key":"Lw==","key_encoding":"base64","node":"n","replicas":["o"],"attributes":{}}
{"key":"16","attributes":{"colour":"red"}}
{"key":"17","attributes":{"length_ft":true}}
{"key":"18","version":"1.2.3","attributes":{}}
{"attributes":{}}
{"key":"zz","key_encoding":"hex","attributes":{}}
{"id":""}
`
	const want = `row {"attributes":{"closed":true,"length_ft":9223372036854775807,"surface":"ASPH"},"key":"1","line":1,"node":"","replicas":null}
row {"attributes":{"slope":5},"key":"two","line":2,"node":"","replicas":null}
bad f.ndjson:4:21: column "length_ft": a JSON string; the attribute is declared int
bad f.ndjson:5:21: column "length_ft": "1.5" is not an int (a whole number of 64 bits)
bad f.ndjson:6:18: column "closed": "2" is not a bool (true, false, 1 or 0)
bad f.ndjson:7:33: column "surface": the object has this field twice
bad f.ndjson:8:1: no field "id", which --key names
bad f.ndjson:9:20: text that is not UTF-8, or half of a surrogate pair
row {"attributes":{"surface":"😀"},"key":"9","line":10,"node":"","replicas":null}
bad f.ndjson:11:8: not JSON: the line ends inside the object; NDJSON has one object a line
bad f.ndjson:12:11: not JSON: invalid character '{' after top-level value
bad f.ndjson:13:1: not a JSON object; NDJSON has one object a line
bad f.ndjson:14:23: not JSON: invalid character '}' in literal true (expecting 'e')
row {"attributes":{"opened":"2026-01-31T09:30:00.123456Z"},"key":"14","line":15,"node":"","replicas":null}
row {"attributes":{"length_ft":7},"key":"15","line":16,"node":"","replicas":null}
row {"attributes":{},"key":"/","line":17,"node":"n","replicas":["o"]}
bad f.ndjson:18:36: column "colour": attributes.colour: the keyspace declares no such attribute; it has closed, length_ft, opened, slope, surface
bad f.ndjson:19:39: column "length_ft": "true" is not an int (a whole number of 64 bits)
bad f.ndjson:20:23: column "version": a record has no such field; its fields are key, key_encoding, node, replicas and attributes
bad f.ndjson:21:1: a record without a key
bad f.ndjson:22:8: column "key": "zz" is not hexadecimal digits in pairs
bad f.ndjson:23:7: column "id": the key is empty; a key has 1 to 1024 bytes
`
	got := outcomes(records.NewNDJSON("f.ndjson", strings.NewReader(file), mapping(t, "id", nil)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = outcomes(records.NewNDJSON("f.ndjson", strings.NewReader("{\"id\":1}\n"+strings.Repeat(" ", records.MaxLine)+"{}\n"), mapping(t, "", nil)))
	const wantLong = `bad f.ndjson:1:7: column "id": a record has no such field; its fields are key, key_encoding, node, replicas and attributes; for objects of another form say --key FIELD
end f.ndjson:2: a line of more than 4194304 bytes; NDJSON has one object a line
`
	if got != wantLong {
		t.Errorf("got\n%s", got)
	}
}

// A record that is written reads back as the entry that it was made of.
func TestRecordRoundTrip(t *testing.T) {
	m := mapping(t, "", nil)
	rapid.Check(t, func(t *rapid.T) {
		entry := cairn.NamedEntry{
			Key:     rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key"),
			Primary: &cairn.Node{Name: rapid.StringMatching(`[a-z-]{1,8}`).Draw(t, "node")},
		}
		for range rapid.IntRange(0, 2).Draw(t, "replicas") {
			entry.Replicas = append(entry.Replicas, &cairn.Node{Name: rapid.StringMatching(`[a-z]{1,4}`).Draw(t, "replica")})
		}
		for _, a := range declared {
			if rapid.Bool().Draw(t, "present") {
				entry.Attributes = append(entry.Attributes, cairn.NamedValue{Name: a.Name, Value: drawValue(t, a.Type)})
			}
		}
		encoding := keytext.Encoding(rapid.IntRange(0, 2).Draw(t, "encoding"))
		line, err := json.Marshal(records.NewRecord(encoding, entry))
		if err != nil {
			t.Fatal(err)
		}
		row, err := records.NewNDJSON("f", strings.NewReader(string(line)), m).Next()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got := cairn.NamedEntry{Key: row.Key, Primary: &cairn.Node{Name: row.Node}, Attributes: row.Attributes}
		for _, name := range row.Replicas {
			got.Replicas = append(got.Replicas, &cairn.Node{Name: name})
		}
		if diff := cmp.Diff(entry, got, cmp.AllowUnexported(cairn.Value{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s: %s", line, diff)
		}
	})
}

func drawValue(t *rapid.T, of cairn.Type) (v cairn.Value) {
	var err error
	switch of {
	case cairn.TypeString:
		v, err = cairn.String(strings.ToValidUTF8(rapid.StringN(0, 20, 200).Draw(t, "string"), "?"))
	case cairn.TypeInt:
		v = cairn.Int(rapid.Int64().Draw(t, "int"))
	case cairn.TypeFloat:
		v, err = cairn.Float(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "float"))
	case cairn.TypeBool:
		v = cairn.Bool(rapid.Bool().Draw(t, "bool"))
	case cairn.TypeTimestamp:
		v, err = cairn.Timestamp(time.UnixMicro(rapid.Int64Range(-6e16, 2e17).Draw(t, "timestamp")))
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Whatever the input, reading ends, and each row is one that a keyspace can
// take.
func drain(t *testing.T, r records.Reader) {
	for {
		row, err := r.Next()
		var bad *records.BadRow
		switch {
		case errors.As(err, &bad):
			if bad.Line < 1 || bad.Column < 1 {
				t.Fatalf("no place in %v", err)
			}
		case err != nil:
			return
		default:
			if err := row.Key.Validate(); err != nil || row.Line < 1 {
				t.Fatalf("row %+v: %v", row, err)
			}
			for _, a := range row.Attributes {
				if _, err := cairn.ParseValue(a.Value.Type(), a.Value.String()); err != nil {
					t.Fatalf("row %+v: %v", row, err)
				}
			}
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("id,surface,length_ft,closed,slope,opened\n1,ASPH,-7,1,0.5,2026-01-31T09:30:00Z\n")
	f.Add("id,surface\n\"a\"\"b\",\"two\nlines\"\nshort\n\"x\"y,z\n")
	f.Add("\xef\xbb\xbfid\r\n\xff\r\n")
	f.Fuzz(func(t *testing.T, file string) {
		if r, err := records.NewCSV("f.csv", strings.NewReader(file), mapping(t, "id", nil)); err == nil {
			drain(t, r)
		}
	})
}

func FuzzNDJSON(f *testing.F) {
	f.Add(`{"id":1,"surface":"ASPH","length_ft":7,"closed":true,"slope":-0.5,"opened":"2026-01-31T09:30:00Z"}`)
	f.Add(`{"key":"Lw==","key_encoding":"base64","node":"n","replicas":["o"],"attributes":{"surface":"\ud83d\ude00"}}`)
	f.Add("{\"id\":\"\\ud800\"}\n\n{\"id\":")
	f.Fuzz(func(t *testing.T, file string) {
		drain(t, records.NewNDJSON("f.ndjson", strings.NewReader(file), mapping(t, "id", nil)))
	})
}

func BenchmarkNDJSON(b *testing.B) {
	line := `{"key":"252159","node":"north-a","attributes":{"closed":false,"length_ft":12091,"slope":0.5,"surface":"ASPH-G"}}` + "\n"
	b.SetBytes(int64(len(line)))
	r := records.NewNDJSON("f", strings.NewReader(strings.Repeat(line, 200_000)), mapping(b, "", nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil && err != io.EOF {
			b.Fatal(err)
		}
	}
}

func BenchmarkCSV(b *testing.B) {
	line := "252159,0,12091,0.5,ASPH-G\n"
	b.SetBytes(int64(len(line)))
	r, err := records.NewCSV("f", strings.NewReader("id,closed,length_ft,slope,surface\n"+strings.Repeat(line, 1_000_000)), mapping(b, "id", nil))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil && err != io.EOF {
			b.Fatal(err)
		}
	}
}
