package server_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/server"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// viewing answers questions: a page at once, a count only where it may wait,
// everything else with a refusal of state 7.
type viewing struct {
	server.Index
	rows []cairn.ViewRow
	// asked gets the question of each request, and whether it could wait.
	asked func(asked cairn.Asked, waits bool)
}

func (x *viewing) AskView(ctx context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error) {
	waits := ctx.Err() == nil
	if x.asked != nil {
		x.asked(req.Asked, waits)
	}
	switch req.Asked {
	case cairn.AskPage:
		return &cairn.ViewReply{Rows: x.rows}, nil
	case cairn.AskCount:
		if !waits {
			return nil, cairn.Errorf(cairn.KindNotYet, "LOG_BEHIND", "wait")
		}
		return &cairn.ViewReply{Count: 12}, nil
	}
	return &cairn.ViewReply{Answer: cairn.Answer{Revision: 7, Index: 8}}, cairn.Errorf(cairn.KindStale, "KEYSPACE_UNKNOWN", "no such keyspace")
}

func (x *viewing) ExportView(ctx context.Context, _ *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return cairn.Errorf(cairn.KindInternal, "UNBOUNDED", "the request's timeout is lost")
	}
	return deliver(cairn.ExportPiece{Bitmap: make([]byte, 3*cairn.MaxPieceBytes)})
}

func askOne(t *testing.T, stream indexv1.Index_AskViewClient, request *indexv1.AskViewRequest) *indexv1.AskViewResponse {
	t.Helper()
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if response.GetId() != request.GetId() {
		t.Errorf("request %d is answered as %d", request.GetId(), response.GetId())
	}
	return response
}

func TestBrokenQuestionsAreAnswered(t *testing.T) {
	client, edge := start(t, &viewing{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := client.AskView(ctx)
	if err != nil {
		t.Fatal(err)
	}
	page := func(question *indexv1.PageQuestion) *indexv1.AskViewRequest {
		return &indexv1.AskViewRequest{Question: &indexv1.AskViewRequest_Page{Page: question}}
	}
	id := uint64(0)
	for _, each := range []struct {
		reason string
		asked  *indexv1.AskViewRequest
	}{
		{"QUESTION_UNKNOWN", &indexv1.AskViewRequest{}},
		{"LEVEL_UNKNOWN", &indexv1.AskViewRequest{Read: &indexv1.Read{Level: 9}}},
		{"MESSAGE_BROKEN", page(&indexv1.PageQuestion{Limit: 1, After: []byte{9, 9}})},
		{"OFFSET_OUT_OF_RANGE", page(&indexv1.PageQuestion{Limit: 1, Offset: 1 << 63})},
		{"MESSAGE_BROKEN", &indexv1.AskViewRequest{Question: &indexv1.AskViewRequest_Rank{Rank: &indexv1.RankQuestion{After: []byte{1}}}}},
	} {
		id++
		each.asked.Id = id
		response := askOne(t, stream, each.asked)
		if got := rpcerr.FromProto(response.GetError()); got == nil || got.Reason != each.reason || response.GetAnswer() != nil {
			t.Errorf("%s: %v", each.reason, response)
		}
	}
	// A refusal of the index's own has its state beside it; what comes after it
	// on the stream has nothing of it.
	response := askOne(t, stream, &indexv1.AskViewRequest{Id: 20, Question: &indexv1.AskViewRequest_Membership{Membership: &indexv1.MembershipQuestion{Key: []byte("k")}}})
	if rpcerr.FromProto(response.GetError()).Reason != "KEYSPACE_UNKNOWN" || response.GetRevision() != 7 || response.GetIndex() != 8 {
		t.Errorf("a refusal: %v", response)
	}
	if response := askOne(t, stream, page(&indexv1.PageQuestion{Limit: 1})); response.GetError() != nil || response.GetRevision() != 0 || len(response.GetPage().GetRows()) != 1 {
		t.Errorf("an empty page: %v", response)
	}
	edge.Drain()
	if response, err := stream.Recv(); err != nil || response.GetId() != 0 || rpcerr.FromProto(response.GetError()).Reason != "SHUTTING_DOWN" {
		t.Errorf("draining: %v, %v", response, err)
	}
}

// TestQuestionsThatTakeLongWaitElsewhere expects the stream to be held up by
// nothing but what is at hand.
func TestQuestionsThatTakeLongWaitElsewhere(t *testing.T) {
	type seen struct {
		asked cairn.Asked
		waits bool
	}
	var got []seen
	index := &viewing{asked: func(asked cairn.Asked, waits bool) { got = append(got, seen{asked, waits}) }}
	client, _ := start(t, index)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := client.AskView(ctx)
	if err != nil {
		t.Fatal(err)
	}
	count := &indexv1.AskViewRequest_Count{Count: new(indexv1.CountQuestion)}
	pageOf := func(question *indexv1.PageQuestion) *indexv1.AskViewRequest_Page {
		return &indexv1.AskViewRequest_Page{Page: question}
	}
	linearizable := &indexv1.Read{Level: indexv1.Level_LEVEL_LINEARIZABLE}
	for i, each := range []struct {
		request *indexv1.AskViewRequest
		want    []seen
	}{
		{&indexv1.AskViewRequest{Question: pageOf(&indexv1.PageQuestion{Limit: 50})}, []seen{{cairn.AskPage, false}}},
		{&indexv1.AskViewRequest{Question: count}, []seen{{cairn.AskCount, false}, {cairn.AskCount, true}}},
		{&indexv1.AskViewRequest{Question: count, Where: "lighted"}, []seen{{cairn.AskCount, false}, {cairn.AskCount, true}}},
		{&indexv1.AskViewRequest{Question: count, Read: linearizable}, []seen{{cairn.AskCount, true}}},
		{&indexv1.AskViewRequest{Question: pageOf(&indexv1.PageQuestion{Limit: 5000})}, []seen{{cairn.AskPage, true}}},
		{&indexv1.AskViewRequest{Question: pageOf(&indexv1.PageQuestion{Limit: 50, OrderBy: []*indexv1.SortField{{Attribute: 1}}})}, []seen{{cairn.AskPage, true}}},
		{&indexv1.AskViewRequest{Question: &indexv1.AskViewRequest_Aggregate{Aggregate: &indexv1.AggregateQuestion{Attribute: 1}}}, []seen{{cairn.AskAggregate, true}}},
	} {
		got = nil
		each.request.Id = uint64(i + 1)
		askOne(t, stream, each.request)
		if len(got) != len(each.want) {
			t.Errorf("%v: asked as %v; want %v", each.request, got, each.want)
			continue
		}
		for j := range got {
			if got[j] != each.want[j] {
				t.Errorf("%v: asked as %v; want %v", each.request, got, each.want)
			}
		}
	}
}

func TestExportsComeInPieces(t *testing.T) {
	client, edge := start(t, &viewing{})
	edge.Drain() // what has been asked for is still sent
	stream, err := client.ExportView(t.Context(), &indexv1.ExportViewRequest{Read: &indexv1.Read{TimeoutMicros: 1 << 63}})
	if err != nil {
		t.Fatal(err)
	}
	pieces := 0
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if pieces++; len(response.GetBitmap()) != cairn.MaxPieceBytes {
			t.Errorf("a piece of %d bytes", len(response.GetBitmap()))
		}
	}
	if pieces != 3 {
		t.Errorf("%d pieces", pieces)
	}
	if stream, err = client.ExportView(t.Context(), &indexv1.ExportViewRequest{Read: &indexv1.Read{Level: 9}}); err == nil {
		_, err = stream.Recv()
	}
	if rpcerr.FromError(err).Reason != "LEVEL_UNKNOWN" {
		t.Error(err)
	}
}
