package indexv1_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

var (
	genValue = rapid.Custom(func(t *rapid.T) cairn.Value {
		var v cairn.Value
		var err error
		switch cairn.Type(rapid.IntRange(int(cairn.TypeNull), int(cairn.TypeTimestamp)).Draw(t, "type")) {
		case cairn.TypeString:
			v, err = cairn.String(rapid.StringN(0, 20, 60).Draw(t, "string"))
		case cairn.TypeInt:
			v = cairn.Int(rapid.Int64().Draw(t, "int"))
		case cairn.TypeFloat:
			v, err = cairn.Float(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "float"))
		case cairn.TypeBool:
			v = cairn.Bool(rapid.Bool().Draw(t, "bool"))
		case cairn.TypeTimestamp:
			v, err = cairn.Timestamp(time.UnixMicro(rapid.Int64Range(-62135596800_000_000, 253402300799_999_999).Draw(t, "timestamp")))
		}
		if err != nil {
			t.Fatal(err)
		}
		return v
	})
	genPosition = rapid.Custom(func(t *rapid.T) cairn.Position {
		return cairn.Position{Values: rapid.SliceOfN(genValue, 0, cairn.MaxSortFields).Draw(t, "values"), Key: genKey.Draw(t, "key")}
	})
	genRow = rapid.Custom(func(t *rapid.T) cairn.ViewRow {
		return cairn.ViewRow{Position: genPosition.Draw(t, "position"), Nodes: genNodes.Draw(t, "nodes"), Attributes: genBlob.Draw(t, "attributes")}
	})
	genGroup = rapid.Custom(func(t *rapid.T) cairn.Group {
		return cairn.Group{Values: rapid.SliceOfN(genValue, 0, 2).Draw(t, "values"), Count: rapid.IntRange(0, math.MaxInt).Draw(t, "count")}
	})
)

func TestRows(t *testing.T) { roundTrip(t, genRow, indexv1.AppendRows, indexv1.DecodeRows) }

func TestGroups(t *testing.T) { roundTrip(t, genGroup, indexv1.AppendGroups, indexv1.DecodeGroups) }

func TestValues(t *testing.T) { roundTrip(t, genValue, indexv1.AppendValues, indexv1.DecodeValues) }

func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		position := genPosition.Draw(t, "position")
		blob := indexv1.AppendPosition(nil, &position)
		got, err := indexv1.DecodePosition(blob)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, &position, got)
		for cut := range blob {
			if _, err := indexv1.DecodePosition(blob[:cut]); cairn.KindOf(err) != cairn.KindCorrupt {
				t.Fatalf("cut at %d of %d: %v", cut, len(blob), err)
			}
		}
	})
}

// TestRowsThatCannotBe has what no encoder writes.
func TestRowsThatCannotBe(t *testing.T) {
	for name, blob := range map[string][]byte{
		"five sort values":  {1, 0x05, 1, 'k', 0, 0, 0, 0, 0, 0},
		"an unknown type":   {1, 0x01, 1, 'k', 9, 0},
		"a bool of 2":       {1, 0x01, 1, 'k', byte(cairn.TypeBool), 2, 0},
		"NaN":               append(append([]byte{1, 0x01, 1, 'k', byte(cairn.TypeFloat)}, binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN()))...), 0),
		"a broken string":   {1, 0x01, 1, 'k', byte(cairn.TypeString), 1, 0xff, 0},
		"the year 10000":    append(binary.AppendVarint([]byte{1, 0x01, 1, 'k', byte(cairn.TypeTimestamp)}, 253402300800_000_000), 0),
		"a string too long": append(append(binary.AppendUvarint([]byte{1, 0x01, 1, 'k', byte(cairn.TypeString)}, 5000), make([]byte, 5000)...), 0),
	} {
		if rows, err := indexv1.DecodeRows(blob, nil); cairn.KindOf(err) != cairn.KindCorrupt {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
	large := append(binary.AppendUvarint(nil, cairn.MaxBatch+1), make([]byte, 4*cairn.MaxBatch)...)
	if _, err := indexv1.DecodeRows(large, nil); cairn.ReasonOf(err) != "BATCH_TOO_LARGE" {
		t.Errorf("10,001 rows: %v", err)
	}
	if _, err := indexv1.DecodeGroups(large, nil); cairn.ReasonOf(err) != "BATCH_TOO_LARGE" {
		t.Errorf("10,001 groups: %v", err)
	}
}

// TestRowsWithin holds the guess against what rows really have.
func TestRowsWithin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(genRow, 1, 20).Draw(t, "rows")
		most := rapid.IntRange(1, 2000).Draw(t, "most")
		n := indexv1.RowsWithin(rows, most)
		if n < 1 || n > len(rows) {
			t.Fatalf("%d of %d", n, len(rows))
		}
		if size := len(indexv1.AppendRows(nil, rows[:n])); n > 1 && size > most {
			t.Fatalf("%d rows have %d bytes; %d were allowed", n, size, most)
		}
	})
	if n := indexv1.RowsWithin(nil, 10); n != 0 {
		t.Errorf("%d of no rows", n)
	}
}

// page is what a page of a view mostly is: one sort value, one node and three
// attributes.
func page(tb testing.TB, rows int) []cairn.ViewRow {
	tb.Helper()
	surface, err := cairn.String("ASPH-CONC")
	if err != nil {
		tb.Fatal(err)
	}
	out := make([]cairn.ViewRow, rows)
	for i := range out {
		length := cairn.Int(int64(12000 - i))
		attributes, err := cairn.NewAttributes([]cairn.Attribute{{ID: 2, Value: surface}, {ID: 3, Value: length}, {ID: 4, Value: cairn.Bool(true)}})
		if err != nil {
			tb.Fatal(err)
		}
		out[i] = cairn.ViewRow{
			Position: cairn.Position{Values: []cairn.Value{length}, Key: fmt.Appendf(nil, "ED%02d-07L/25R", i)},
			Nodes:    []cairn.NodeID{cairn.NodeID(1 + i%9)}, Attributes: attributes,
		}
	}
	return out
}

func TestRowsAllocateByThePage(t *testing.T) {
	text, err := cairn.String(strings.Repeat("x", 20))
	if err != nil {
		t.Fatal(err)
	}
	allocations := func(n int) float64 {
		rows := page(t, n)
		for i := range rows {
			rows[i].Values = []cairn.Value{text, rows[i].Values[0]}
		}
		blob := indexv1.AppendRows(nil, rows)
		return testing.AllocsPerRun(5, func() { _, _ = indexv1.DecodeRows(blob, nil) })
	}
	// The race detector's build may need one more, but not one more a row.
	if few, many := allocations(50), allocations(5000); many > few || many > 5 {
		t.Errorf("%v allocations for a page of 50 rows, %v for one of 5,000", few, many)
	}
}

func BenchmarkRows(b *testing.B) {
	rows := page(b, 50)
	blob := indexv1.AppendRows(nil, rows)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		var out []byte
		for b.Loop() {
			out = indexv1.AppendRows(out[:0], rows)
		}
		b.ReportMetric(float64(len(out)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := indexv1.DecodeRows(blob, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
