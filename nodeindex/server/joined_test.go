package server_test

import (
	"context"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/server"
	indexv1 "cairn/proto/cairn/index/v1"
)

// held answers a page at once, with a row of rowBytes, and a count once it is
// let go or its time is over.
type held struct {
	server.Index
	letGo    chan struct{}
	rowBytes int
}

func (x *held) AskView(ctx context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error) {
	if req.Asked == cairn.AskPage {
		return &cairn.ViewReply{Rows: []cairn.ViewRow{{Nodes: []cairn.NodeID{1}, Attributes: make(cairn.Attributes, x.rowBytes)}}}, nil
	}
	select {
	case <-x.letGo:
		return &cairn.ViewReply{Count: 12}, nil
	case <-ctx.Done():
		return nil, cairn.Errorf(cairn.KindNotYet, "LOG_BEHIND", "wait")
	}
}

func pageAsked(id uint64) *indexv1.AskViewRequest {
	return &indexv1.AskViewRequest{Id: id, Question: &indexv1.AskViewRequest_Page{Page: &indexv1.PageQuestion{Limit: 1}}}
}

// TestJoinedQuestionsAreAnsweredEach sends questions in one message. Those that
// take no wait are answered in one, broken ones among them; one that waits
// holds none of them up, nor does one whose time ends.
func TestJoinedQuestionsAreAnsweredEach(t *testing.T) {
	index := &held{letGo: make(chan struct{})}
	client, _ := start(t, index)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := client.AskView(ctx)
	if err != nil {
		t.Fatal(err)
	}
	count := &indexv1.AskViewRequest_Count{Count: new(indexv1.CountQuestion)}
	waits := &indexv1.AskViewRequest{Id: 1, Question: count}
	late := &indexv1.AskViewRequest{Id: 2, Question: count, Read: &indexv1.Read{TimeoutMicros: 1000}}
	if err := stream.Send(&indexv1.AskViewRequest{Joined: []*indexv1.AskViewRequest{waits, late, pageAsked(3), {Id: 4}, pageAsked(5)}}); err != nil {
		t.Fatal(err)
	}
	receive := func() []*indexv1.AskViewResponse {
		t.Helper()
		message, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return indexv1.Separate(message)
	}
	var together [][]*indexv1.AskViewResponse
	for answered := 0; answered < 4; answered += len(together[len(together)-1]) {
		together = append(together, receive())
	}
	for _, responses := range together {
		switch first := responses[0]; {
		case first.GetId() == 2 && len(responses) == 1 && first.GetError() != nil:
		case len(responses) != 3 || first.GetId() != 3 || responses[1].GetId() != 4 || responses[2].GetId() != 5:
			t.Errorf("%d answers in a message: %v", len(responses), responses)
		case first.GetPage() == nil || responses[1].GetError() == nil || responses[2].GetPage() == nil:
			t.Errorf("answers of others: %v", responses)
		}
	}
	close(index.letGo)
	if last := receive(); len(last) != 1 || last[0].GetId() != 1 || last[0].GetCount() != 12 {
		t.Errorf("the one that waited is answered %v", last)
	}
}

// TestLargeAnswersAreNotGathered asks for more in one message than may be held
// at once: answers go out as they come.
func TestLargeAnswersAreNotGathered(t *testing.T) {
	client, _ := start(t, &held{rowBytes: 8 << 10})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := client.AskView(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const questions = 1000
	request := new(indexv1.AskViewRequest)
	for i := range uint64(questions) {
		request.Joined = append(request.Joined, pageAsked(i+1))
	}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	for next := uint64(1); next <= questions; {
		message, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		responses := indexv1.Separate(message)
		if len(responses) > 8 || len(responses) < 7 && next+uint64(len(responses)) <= questions {
			t.Errorf("%d answers of 8 KiB in a message", len(responses))
		}
		for _, response := range responses {
			if response.GetId() != next {
				t.Fatalf("answer %d comes where %d should", response.GetId(), next)
			}
			next++
		}
	}
}
