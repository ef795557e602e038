package peer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn"
	"cairn/router/peer"
)

var alike = cmp.Options{cmpopts.EquateEmpty(), cmp.AllowUnexported(cairn.Value{})}

func text(t testing.TB, s string) cairn.Value {
	t.Helper()
	v, err := cairn.String(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// pageOf are rows as a view mostly has them.
func pageOf(t testing.TB, rows int) []cairn.ViewRow {
	t.Helper()
	out := make([]cairn.ViewRow, rows)
	for i := range out {
		length := cairn.Int(int64(12_000 - i))
		attributes, err := cairn.NewAttributes([]cairn.Attribute{{ID: 1, Value: text(t, "ASPH-CONC")}, {ID: 2, Value: length}, {ID: 3, Value: cairn.Bool(true)}})
		if err != nil {
			t.Fatal(err)
		}
		out[i] = cairn.ViewRow{
			Position: cairn.Position{Values: []cairn.Value{length}, Key: fmt.Appendf(nil, "ED%04d-07L", i)},
			Nodes:    trivialNodes, Attributes: attributes,
		}
	}
	return out
}

// TestQuestionsCarryEverything asks each question with all that it may have,
// and gets each answer with all that it may have.
func TestQuestionsCarryEverything(t *testing.T) {
	read := cairn.Read{Keyspace: 1, Epoch: 12, Level: cairn.AtLeast, Index: 7}
	answer := cairn.Answer{Revision: 15, Index: 19}
	number, err := cairn.Float(-2.5)
	if err != nil {
		t.Fatal(err)
	}
	after := &cairn.Position{Values: []cairn.Value{{}, text(t, "ASP"), number}, Key: cairn.Key("k")}
	for name, each := range map[string]struct {
		req   cairn.ViewRequest
		reply cairn.ViewReply
	}{
		"page": {
			cairn.ViewRequest{
				Asked: cairn.AskPage, Where: "lighted && since < now", Now: -5, After: after, Limit: 50, Fields: []cairn.AttributeID{1, 300}, WithPlan: true,
				OrderBy: []cairn.SortField{{Attribute: 7}, {Attribute: 1, Descending: true}, {Attribute: 2}},
			},
			cairn.ViewReply{Rows: pageOf(t, 3), More: true, Plan: "walk the order"},
		},
		"last page":   {cairn.ViewRequest{Asked: cairn.AskPage, Offset: 1 << 40, Limit: 10_000}, cairn.ViewReply{}},
		"count":       {cairn.ViewRequest{Asked: cairn.AskCount, Where: "lighted"}, cairn.ViewReply{Count: 1 << 50}},
		"rank":        {cairn.ViewRequest{Asked: cairn.AskRank, OrderBy: []cairn.SortField{{Attribute: 7, Descending: true}}, After: after}, cairn.ViewReply{Count: 12}},
		"groups":      {cairn.ViewRequest{Asked: cairn.AskGroups, Attributes: []cairn.AttributeID{4, 2}}, cairn.ViewReply{Groups: []cairn.Group{{Values: []cairn.Value{text(t, "x"), {}}, Count: 3}}}},
		"no groups":   {cairn.ViewRequest{Asked: cairn.AskGroups, Attributes: []cairn.AttributeID{4}}, cairn.ViewReply{}},
		"ints":        {cairn.ViewRequest{Asked: cairn.AskAggregate, Attributes: []cairn.AttributeID{9}}, cairn.ViewReply{Aggregation: cairn.Aggregation{Count: 2, Min: cairn.Int(-1), Max: cairn.Int(5), Ints: cairn.IntSum{High: -3, Low: 7}}}},
		"floats":      {cairn.ViewRequest{Asked: cairn.AskAggregate, Attributes: []cairn.AttributeID{9}}, cairn.ViewReply{Aggregation: cairn.Aggregation{Count: 2, Min: number, Max: number, Floats: -5}}},
		"none at all": {cairn.ViewRequest{Asked: cairn.AskAggregate, Attributes: []cairn.AttributeID{9}}, cairn.ViewReply{}},
		"membership": {cairn.ViewRequest{Asked: cairn.AskMembership, Key: cairn.Key("k")}, cairn.ViewReply{Membership: cairn.Membership{
			Found: true, Truth: "unknown", Deciding: []cairn.Decision{
				{Truth: "unknown", Text: "length_ft >= 8000", Line: 2, Column: 9, Attribute: 4},
				{Truth: "true", Text: "surface == 'x'", Line: 1, Column: 1, Attribute: 5, Value: text(t, "x")},
			}}}},
	} {
		each.req.Read, each.req.View, each.req.Version = read, 77, 3
		each.reply.Answer, each.reply.Fingerprint = answer, 99
		index := &trivial{view: &each.reply}
		var got cairn.ViewRequest
		index.asked = func(req *cairn.ViewRequest) { got = clone(req) }
		p := dial(t, serve(t, index, "127.0.0.1:0").address)
		reply, err := p.AskView(t.Context(), &each.req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got.Brief = false // which the server asks for by itself
		if diff := cmp.Diff(each.req, got, alike); diff != "" {
			t.Errorf("%s: the question changed on its way:\n%s", name, diff)
		}
		if diff := cmp.Diff(&each.reply, reply, alike); diff != "" {
			t.Errorf("%s: the answer changed on its way:\n%s", name, diff)
		}
	}
}

// clone keeps a question beyond its call, whose buffers the server uses again.
func clone(req *cairn.ViewRequest) cairn.ViewRequest {
	out := *req
	out.OrderBy = append([]cairn.SortField(nil), req.OrderBy...)
	out.Fields = append([]cairn.AttributeID(nil), req.Fields...)
	out.Attributes = append([]cairn.AttributeID(nil), req.Attributes...)
	out.Key = bytes.Clone(req.Key)
	if req.After != nil {
		out.After = &cairn.Position{Values: append([]cairn.Value(nil), req.After.Values...), Key: bytes.Clone(req.After.Key)}
	}
	return out
}

// TestManyQuestionsGetTheirOwnAnswers has pages of every size under way at
// once, some that wait, on the same streams.
func TestManyQuestionsGetTheirOwnAnswers(t *testing.T) {
	index := &paged{rows: pageOf(t, 700)}
	p := dial(t, serve(t, index, "127.0.0.1:0").address)
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			for i := range 50 {
				n := 1 + (caller*31+i*17)%700
				req := &cairn.ViewRequest{Asked: cairn.AskPage, Limit: n}
				if caller%3 == 0 {
					req.Where = "true" // one for the crew
				}
				reply, err := p.AskView(t.Context(), req)
				if err != nil || len(reply.Rows) != n || reply.Rows[n-1].Key.Compare(index.rows[n-1].Key) != 0 {
					t.Errorf("%d rows: %d, %v", n, len(reply.Rows), err)
					return
				}
			}
		})
	}
	callers.Wait()
}

// paged has as many rows as are asked for.
type paged struct {
	trivial
	rows []cairn.ViewRow
}

func (x *paged) AskView(_ context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error) {
	return &cairn.ViewReply{Rows: x.rows[:req.Limit]}, nil
}

func TestQuestionsThatFail(t *testing.T) {
	index := &trivial{stuck: make(chan struct{})}
	e := serve(t, index, "127.0.0.1:0")
	p := dial(t, e.address)
	ask := func(ctx context.Context, keyspace cairn.UID) (*cairn.ViewReply, error) {
		return p.AskView(ctx, &cairn.ViewRequest{Read: cairn.Read{Keyspace: keyspace}, Asked: cairn.AskCount})
	}
	// The server's own refusal, and by which state.
	reply, err := ask(t.Context(), brokenKeyspace)
	if e, ok := errors.AsType[*cairn.Error](err); !ok || e.Reason != "KEY_EMPTY" || e.Field != "key" || reply == nil || reply.Revision != 5 {
		t.Errorf("refused with %v, %+v", err, reply)
	}
	if err := p.ExportView(t.Context(), &cairn.ExportRequest{Read: cairn.Read{Keyspace: brokenKeyspace}}, nil); cairn.ReasonOf(err) != "KEY_EMPTY" {
		t.Errorf("export: %v", err)
	}
	if _, err := p.AskView(t.Context(), &cairn.ViewRequest{Asked: 99}); cairn.ReasonOf(err) != "QUESTION_UNKNOWN" {
		t.Errorf("a question that there is not: %v", err)
	}
	if _, err := p.AskView(t.Context(), &cairn.ViewRequest{Asked: cairn.AskCount, Where: strings.Repeat("x", 17<<20)}); cairn.ReasonOf(err) != "REQUEST_TOO_LARGE" {
		t.Errorf("a condition of 17 MiB: %v", err)
	}
	// A deadline, and a caller that goes away.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, stuckKeyspace); cairn.KindOf(err) != cairn.KindDeadline && cairn.KindOf(err) != cairn.KindNotYet {
		t.Errorf("at its deadline: %v", err)
	}
	<-ctx.Done() // the server may have given up first
	if _, err := ask(ctx, 1); cairn.KindOf(err) != cairn.KindDeadline {
		t.Errorf("after its deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(30*time.Millisecond, cancel)
	if err := p.ExportView(ctx, &cairn.ExportRequest{Read: cairn.Read{Keyspace: stuckKeyspace}}, nil); cairn.KindOf(err) != cairn.KindDeadline {
		t.Errorf("a cancelled export: %v", err)
	}
	// None of it harmed the stream.
	if _, err := ask(t.Context(), 1); err != nil {
		t.Error(err)
	}
	// One that waits and one that comes after the server has gone.
	failed := make(chan error, 1)
	go func() { _, err := ask(t.Context(), stuckKeyspace); failed <- err }()
	time.Sleep(50 * time.Millisecond) // until it is sent
	e.kill()
	if err := <-failed; cairn.KindOf(err) != cairn.KindUnavailable || !strings.Contains(err.Error(), e.address) {
		t.Errorf("under way when the server went: %v", err)
	}
	if _, err := ask(t.Context(), 1); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("to nobody: %v", err)
	}
}

// TestPagesFitAMessage has rows that would not: the page is cut, and says so.
func TestPagesFitAMessage(t *testing.T) {
	rows := pageOf(t, 1000)
	for i := range rows {
		rows[i].Attributes = make(cairn.Attributes, 50_000)
	}
	p := dial(t, serve(t, &trivial{view: &cairn.ViewReply{Rows: rows}}, "127.0.0.1:0").address)
	reply, err := p.AskView(t.Context(), &cairn.ViewRequest{Asked: cairn.AskPage, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if want := cairn.MaxPageBytes / 50_100; len(reply.Rows) != want || !reply.More {
		t.Errorf("%d rows, more %v; want %d and more", len(reply.Rows), reply.More, want)
	}
	groups := make([]cairn.Group, cairn.MaxGroups)
	for i := range groups {
		groups[i] = cairn.Group{Values: []cairn.Value{text(t, strings.Repeat("x", cairn.MaxStringLength))}, Count: i}
	}
	p = dial(t, serve(t, &trivial{view: &cairn.ViewReply{Groups: groups}}, "127.0.0.1:0").address)
	if _, err := p.AskView(t.Context(), &cairn.ViewRequest{Asked: cairn.AskGroups}); cairn.ReasonOf(err) != "REPLY_TOO_LARGE" {
		t.Errorf("40 MB of groups: %v", err)
	}
}

func TestExports(t *testing.T) {
	answer := cairn.Answer{Revision: 5, Index: 9}
	bitmap := bytes.Repeat([]byte("bitmap"), 100_000)
	keys := make([]cairn.Key, 30_000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "k%05d", i)
	}
	index := &trivial{pieces: []cairn.ExportPiece{{Answer: answer, Bitmap: bitmap}, {Answer: answer, Keys: keys[:20_000]}, {Answer: answer, Keys: keys[20_000:]}}}
	p := dial(t, serve(t, index, "127.0.0.1:0").address)
	var got cairn.ExportPiece
	pieces := 0
	if err := p.ExportView(t.Context(), &cairn.ExportRequest{View: 3, Version: 1}, func(piece cairn.ExportPiece) error {
		pieces++
		got.Answer, got.Bitmap, got.Keys = piece.Answer, append(got.Bitmap, piece.Bitmap...), append(got.Keys, piece.Keys...)
		if len(piece.Bitmap) > cairn.MaxPieceBytes || len(piece.Keys) > cairn.MaxBatch {
			t.Errorf("a piece of %d bytes and %d keys", len(piece.Bitmap), len(piece.Keys))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cairn.ExportPiece{Answer: answer, Bitmap: bitmap, Keys: keys}, got); diff != "" || pieces < 6 {
		t.Errorf("%d pieces:\n%.1000s", pieces, diff)
	}
	enough := errors.New("enough")
	if err := p.ExportView(t.Context(), &cairn.ExportRequest{}, func(cairn.ExportPiece) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("deliver's own error came as %v", err)
	}
}

func TestBackups(t *testing.T) {
	index := &trivial{pieces: []cairn.ExportPiece{{Bitmap: bytes.Repeat([]byte("a"), 300_000)}, {Bitmap: []byte("b")}}}
	p := dial(t, serve(t, index, "127.0.0.1:0").address)
	g := peer.NewGroup([]*peer.Peer{p}, nil)
	for name, backup := range map[string]func(context.Context, string, func([]byte) error) error{"peer": p.Backup, "group": g.Backup} {
		var got []byte
		if err := backup(t.Context(), "north", func(data []byte) error { got = append(got, data...); return nil }); err != nil {
			t.Fatal(err)
		}
		if want := "north" + strings.Repeat("a", 300_000) + "b"; string(got) != want {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
		}
		enough := errors.New("enough")
		if err := backup(t.Context(), "north", func([]byte) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("%s: deliver's own error came as %v", name, err)
		}
	}
}

// BenchmarkAskView is what the wire costs: pages of 50 rows through one Peer
// over loopback, from an index that answers at once. Pages in the view's own
// order are answered where they are read.
func BenchmarkAskView(b *testing.B) {
	index := &trivial{view: &cairn.ViewReply{Rows: pageOf(b, 50), More: true}}
	p := dial(b, serve(b, index, "127.0.0.1:0").address)
	for name, order := range map[string][]cairn.SortField{"own order": nil, "another order": {{Attribute: 2, Descending: true}}} {
		req := &cairn.ViewRequest{Asked: cairn.AskPage, Limit: 50, Fields: []cairn.AttributeID{1, 2, 3}, OrderBy: order}
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := p.AskView(b.Context(), req); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
		})
	}
}
