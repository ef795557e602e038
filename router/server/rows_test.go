package server

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/wire"
)

// rowsOf are rows as a page mostly has them, and some that are not.
func rowsOf(tb testing.TB, n int) []cairn.NamedRow {
	tb.Helper()
	surface, err := cairn.String("ASPH-CONC")
	if err != nil {
		tb.Fatal(err)
	}
	nodes := make([]*cairn.Node, 200)
	for i := range nodes {
		nodes[i] = &cairn.Node{Name: "n", Address: "a:1", Zone: "z"}
	}
	rows := make([]cairn.NamedRow, n)
	for i := range rows {
		rows[i] = cairn.NamedRow{Key: cairn.Key("EDDF-07L/25R"), Cluster: "c", Primary: nodes[i%9], Attributes: shown(tb, cairn.NamedValues{
			{Name: "length_ft", Value: cairn.Int(int64(12_000 - i))}, {Name: "lighted", Value: cairn.Bool(true)}, {Name: "surface", Value: surface},
		})}
		switch {
		case i >= 60 && i%10 == 0:
			rows[i].Replicas = nodes[i%190 : i%190+3]
		case i >= 60 && i%10 == 1:
			rows[i].Attributes, rows[i].Primary = cairn.RowValues{}, nodes[199]
		}
	}
	return rows
}

func shown(tb testing.TB, values cairn.NamedValues) cairn.RowValues {
	tb.Helper()
	out, err := cairn.RowValuesOf([]cairn.NamedValues{values})
	if err != nil {
		tb.Fatal(err)
	}
	return out[0]
}

// generated is a page by the generated code alone.
func generated(rows []cairn.NamedRow) *cairnv1.QueryResponse {
	var table nodeTable
	out := new(cairnv1.QueryResponse)
	for i := range rows {
		row := &cairnv1.ViewRow{Key: rows[i].Key, Primary: table.add(rows[i].Cluster, rows[i].Primary)}
		row.Replicas, row.Attributes = table.addAll(rows[i].Cluster, rows[i].Replicas), wire.Values(rows[i].Attributes.Sorted())
		out.Rows = append(out.Rows, row)
	}
	out.Nodes = table.refs
	return out
}

// TestRowsByHand compares the bytes with the generated code's.
func TestRowsByHand(t *testing.T) {
	for _, n := range []int{0, 1, 50, 500} {
		rows := rowsOf(t, n)
		written := &cairnv1.QueryResponse{Token: "token", NextCursor: "next"}
		fillRows(written, rows)
		packed, err := proto.Marshal(written)
		if err != nil {
			t.Fatal(err)
		}
		want := generated(rows)
		want.Token, want.NextCursor = "token", "next"
		var got cairnv1.QueryResponse
		if err := proto.Unmarshal(packed, &got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&got, want) {
			t.Errorf("%d rows: got %.500v", n, &got)
		}
		if guess := sizeOfRows(rows); guess < len(written.ProtoReflect().GetUnknown()) {
			t.Errorf("%d rows: %d bytes were expected to do; they take %d", n, guess, len(written.ProtoReflect().GetUnknown()))
		}
	}
}

func BenchmarkRows(b *testing.B) {
	rows := rowsOf(b, 50)
	for name, message := range map[string]func() *cairnv1.QueryResponse{
		"by hand": func() *cairnv1.QueryResponse {
			out := new(cairnv1.QueryResponse)
			fillRows(out, rows)
			return out
		},
		"generated": func() *cairnv1.QueryResponse { return generated(rows) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				page := message()
				_ = proto.Size(page)
				out, _ = proto.MarshalOptions{}.MarshalAppend(out[:0], page)
			}
			b.ReportMetric(float64(len(out)), "bytes")
		})
	}
}
