package fleet_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"cairn"
	fleetv1 "cairn/proto/cairn/fleet/v1"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/router"
	"cairn/router/fleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const self = "127.0.0.1:1"

// answering is a router of which only AnswerPart is there.
type answering func(ctx context.Context, part *router.Part) (*cairn.ViewReply, error)

func (a answering) AnswerPart(ctx context.Context, part *router.Part) (*cairn.ViewReply, error) {
	return a(ctx, part)
}

// serve has a service answer on a free port.
func serve(t *testing.T, register func(grpc.ServiceRegistrar)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(fleet.ServerOptions()...)
	register(server)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func serveRouter(t *testing.T, answers answering) (address string) {
	return serve(t, fleet.NewServer(answers, slog.New(slog.DiscardHandler)).Register)
}

// of is a Fleet of this router and another one.
func of(t *testing.T, other string, options fleet.Options) *fleet.Fleet {
	f := fleet.New(options)
	t.Cleanup(f.Close)
	f.Set(self, []string{self, other})
	return f
}

// theirs is the other router, by a question that belongs to it; nil while it rests.
func theirs(f *fleet.Fleet) router.Member {
	for i := range 200 {
		if owner := f.Owner(fmt.Sprint(i)); owner != nil {
			return owner
		}
	}
	return nil
}

func text(s string) cairn.Value {
	value, err := cairn.String(s)
	if err != nil {
		panic(err) // it is a constant
	}
	return value
}

func count() *router.Part {
	return &router.Part{Cluster: 1, Shards: 2, ViewRequest: cairn.ViewRequest{Asked: cairn.AskCount}}
}

// TestPartsTravelWhole sends everything that a part and its answer can have.
func TestPartsTravelWhole(t *testing.T) {
	var got *router.Part
	var reply *cairn.ViewReply
	address := serveRouter(t, func(_ context.Context, part *router.Part) (*cairn.ViewReply, error) {
		got = part
		return reply, nil
	})
	owner := theirs(of(t, address, fleet.Options{Silence: time.Minute}))
	answer := cairn.Answer{Revision: 11, Index: 12}
	order := []cairn.SortField{{Attribute: 3, Descending: true}, {Attribute: 4}}
	after := &cairn.Position{Values: []cairn.Value{cairn.Int(5), text("x")}, Key: cairn.Key("k")}
	for _, each := range []struct {
		request cairn.ViewRequest
		reply   cairn.ViewReply
	}{
		{cairn.ViewRequest{Asked: cairn.AskPage, OrderBy: order, After: after, Limit: 7, Fields: []cairn.AttributeID{1, 2}, WithPlan: true},
			cairn.ViewReply{Plan: "walk", More: true, Rows: []cairn.ViewRow{{Position: cairn.Position{Key: cairn.Key("k1"), Values: []cairn.Value{cairn.Int(1), text("y")}}, Nodes: []cairn.NodeID{1, 2}}}}},
		{cairn.ViewRequest{Asked: cairn.AskPage, Offset: 9, Limit: 7}, cairn.ViewReply{}},
		{cairn.ViewRequest{Asked: cairn.AskCount, Where: "size > now", Now: 99}, cairn.ViewReply{Count: 1 << 40}},
		{cairn.ViewRequest{Asked: cairn.AskGroups, Attributes: []cairn.AttributeID{1, 2}},
			cairn.ViewReply{Groups: []cairn.Group{{Values: []cairn.Value{cairn.Int(1), text("y")}, Count: 3}}}},
		{cairn.ViewRequest{Asked: cairn.AskAggregate, Attributes: []cairn.AttributeID{1}},
			cairn.ViewReply{Aggregation: cairn.Aggregation{Count: 2, Min: cairn.Int(1), Max: cairn.Int(2), Ints: cairn.IntSum{High: 1, Low: 2}, Floats: 1.5}}},
		{cairn.ViewRequest{Asked: cairn.AskMembership, Key: cairn.Key("k")},
			cairn.ViewReply{Membership: cairn.Membership{Found: true, Truth: "true", Deciding: []cairn.Decision{{Truth: "true", Text: "a", Line: 1, Column: 2, Attribute: 1, Value: cairn.Int(3)}}}}},
		{cairn.ViewRequest{Asked: cairn.AskRank, OrderBy: order, After: after}, cairn.ViewReply{Count: 4}},
	} {
		part := &router.Part{ViewRequest: each.request, Cluster: 21, ClusterRevision: 22, Shards: 23, Pinned: true}
		part.Read = cairn.Read{Keyspace: 31, Epoch: 32, Level: cairn.AtLeast, Index: 33}
		part.View, part.Version = 41, 42
		each.reply.Answer, each.reply.Fingerprint = answer, 23
		reply = &each.reply
		heard, err := owner.AnswerPart(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		opaque := cmp.Comparer(func(a, b cairn.Value) bool { return a == b })
		if diff := cmp.Diff(part, got, opaque); diff != "" {
			t.Errorf("the part: %s", diff)
		}
		if diff := cmp.Diff(&each.reply, heard, opaque); diff != "" {
			t.Errorf("the answer: %s", diff)
		}
	}
}

// TestWhoDoesNotAnswerRests has another router fail in every way: it is not asked again
// for a moment where it is lost, and is where it has only refused.
func TestWhoDoesNotAnswerRests(t *testing.T) {
	raw := func(ask func(stream grpc.ServerStreamingServer[fleetv1.AskResponse]) error) func(t *testing.T) string {
		return func(t *testing.T) string { return serve(t, rawFleet{ask: ask}.register) }
	}
	for reason, each := range map[string]struct {
		start func(t *testing.T) (address string)
		rests bool
	}{
		"SILENT": {raw(func(stream grpc.ServerStreamingServer[fleetv1.AskResponse]) error {
			<-stream.Context().Done()
			return stream.Context().Err()
		}), true},
		"RESPONSE_BROKEN": {raw(func(stream grpc.ServerStreamingServer[fleetv1.AskResponse]) error {
			return stream.Send(&fleetv1.AskResponse{Answer: &indexv1.AskViewResponse{Answer: &indexv1.AskViewResponse_Page{}}})
		}), true},
		"RESPONSE_BROKEN, ended": {raw(func(grpc.ServerStreamingServer[fleetv1.AskResponse]) error { return nil }), true},
		"UNAVAILABLE": {func(t *testing.T) string {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			return listener.Addr().String() // where nobody listens any more
		}, true},
		"VIEW_BUILDING": {func(t *testing.T) string {
			return serveRouter(t, func(context.Context, *router.Part) (*cairn.ViewReply, error) {
				return nil, cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "it is being built")
			})
		}, false},
		"PANICKED": {func(t *testing.T) string {
			return serveRouter(t, func(context.Context, *router.Part) (*cairn.ViewReply, error) { panic("a defect") })
		}, false},
	} {
		t.Run(reason, func(t *testing.T) {
			f := of(t, each.start(t), fleet.Options{Silence: 200 * time.Millisecond, Rest: time.Hour})
			_, err := theirs(f).AnswerPart(t.Context(), count())
			want, _, _ := strings.Cut(reason, ",")
			if got := cairn.ReasonOf(err); got != want && (want != "UNAVAILABLE" || cairn.KindOf(err) != cairn.KindUnavailable) {
				t.Errorf("%v; want %s", err, want)
			}
			if rests := theirs(f) == nil; rests != each.rests {
				t.Errorf("it rests: %v", rests)
			}
		})
	}
}

// TestWhoHasRestedIsAskedAgain has a router be silent once.
func TestWhoHasRestedIsAskedAgain(t *testing.T) {
	var times atomic.Int64
	address := serve(t, rawFleet{ask: func(stream grpc.ServerStreamingServer[fleetv1.AskResponse]) error {
		if times.Add(1) == 1 {
			<-stream.Context().Done()
		}
		return stream.Send(&fleetv1.AskResponse{Answer: &indexv1.AskViewResponse{Answer: &indexv1.AskViewResponse_Count{Count: 3}}})
	}}.register)
	f := of(t, address, fleet.Options{Silence: 100 * time.Millisecond, Rest: 100 * time.Millisecond})
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if owner := theirs(f); owner != nil {
			if reply, err := owner.AnswerPart(t.Context(), count()); err == nil && reply.Count == 3 {
				return
			}
		}
	}
	t.Error("it is not asked again")
}

// TestWhoIsAtItIsWaitedFor has an answer take longer than a router may be silent.
func TestWhoIsAtItIsWaitedFor(t *testing.T) {
	const quiet = time.Second
	address := serveRouter(t, func(ctx context.Context, _ *router.Part) (*cairn.ViewReply, error) {
		select {
		case <-time.After(quiet + quiet/5):
			return &cairn.ViewReply{Count: 5}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	owner := theirs(of(t, address, fleet.Options{Silence: quiet}))
	if reply, err := owner.AnswerPart(t.Context(), count()); err != nil || reply.Count != 5 {
		t.Errorf("%v, %v", reply, err)
	}
}

// TestWhoHangsUpIsNotWorkedFor has the one who asks leave.
func TestWhoHangsUpIsNotWorkedFor(t *testing.T) {
	asked, ended := make(chan time.Duration, 1), make(chan struct{})
	address := serveRouter(t, func(ctx context.Context, _ *router.Part) (*cairn.ViewReply, error) {
		deadline, _ := ctx.Deadline()
		asked <- time.Until(deadline)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	f := of(t, address, fleet.Options{Silence: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	go func() {
		if left := <-asked; left <= 0 || left > time.Hour {
			t.Errorf("it has %s", left)
		}
		cancel()
	}()
	if _, err := theirs(f).AnswerPart(ctx, count()); cairn.ReasonOf(err) != "CANCELLED" {
		t.Error(err)
	}
	<-ended
	if theirs(f) == nil {
		t.Error("it rests because its caller left")
	}
}

// TestHostileMessagesAreRefused sends what no router does.
func TestHostileMessagesAreRefused(t *testing.T) {
	address := serveRouter(t, func(_ context.Context, part *router.Part) (*cairn.ViewReply, error) {
		return &cairn.ViewReply{Count: uint64(len(part.Where))}, nil
	})
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := fleetv1.NewFleetClient(conn)
	ask := func(request *fleetv1.AskRequest) error {
		stream, err := client.Ask(t.Context(), request)
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	counted := func(where string) *indexv1.AskViewRequest {
		return &indexv1.AskViewRequest{Where: where, Question: &indexv1.AskViewRequest_Count{Count: new(indexv1.CountQuestion)}}
	}
	for name, each := range map[string]struct {
		question *indexv1.AskViewRequest
		want     codes.Code
	}{
		"nothing":  {nil, codes.InvalidArgument},
		"unknown":  {&indexv1.AskViewRequest{Question: nil, Read: &indexv1.Read{Level: 77}}, codes.InvalidArgument},
		"too long": {counted(strings.Repeat("x", 1<<20)), codes.ResourceExhausted},
		"good":     {counted("size > 1"), codes.OK},
	} {
		if err := ask(&fleetv1.AskRequest{Question: each.question}); status.Code(err) != each.want {
			t.Errorf("%s: %v; want %s", name, err, each.want)
		}
	}
}

// TestQuestionsBelongToWhoIsThere has routers come and go.
func TestQuestionsBelongToWhoIsThere(t *testing.T) {
	f := fleet.New(fleet.Options{})
	if theirs(f) != nil {
		t.Error("a fleet of nobody has an owner")
	}
	f.Set(self, []string{self})
	if theirs(f) != nil {
		t.Error("a fleet of one has another owner")
	}
	f.Set(self, []string{self, "127.0.0.1:2", "127.0.0.1:3"})
	owners := map[router.Member]int{}
	for i := range 300 {
		owners[f.Owner(fmt.Sprint(i))]++
	}
	if len(owners) != 3 || owners[nil] < 60 || owners[nil] > 140 {
		t.Errorf("owners %v", owners)
	}
	kept := theirs(f)
	f.Set(self, []string{self, "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4"})
	found := false
	for i := range 300 {
		found = found || f.Owner(fmt.Sprint(i)) == kept
	}
	if !found {
		t.Error("who stays is dialled again")
	}
	f.Close()
	f.Set(self, []string{self, "127.0.0.1:2"})
	if theirs(f) != nil {
		t.Error("a fleet that is closed has an owner")
	}
}

// BenchmarkHop is what asking another router costs, beside a count that it has at hand.
func BenchmarkHop(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer(fleet.ServerOptions()...)
	fleet.NewServer(answering(func(context.Context, *router.Part) (*cairn.ViewReply, error) {
		return &cairn.ViewReply{Count: 1}, nil
	}), slog.New(slog.DiscardHandler)).Register(server)
	go server.Serve(listener)
	defer server.Stop()
	f := fleet.New(fleet.Options{})
	defer f.Close()
	f.Set(self, []string{self, listener.Addr().String()})
	owner := theirs(f)
	for b.Loop() {
		if _, err := owner.AnswerPart(b.Context(), count()); err != nil {
			b.Fatal(err)
		}
	}
}

// rawFleet is a service that says what it likes.
type rawFleet struct {
	fleetv1.UnimplementedFleetServer
	ask func(stream grpc.ServerStreamingServer[fleetv1.AskResponse]) error
}

func (r rawFleet) register(s grpc.ServiceRegistrar) { fleetv1.RegisterFleetServer(s, r) }

func (r rawFleet) Ask(_ *fleetv1.AskRequest, stream grpc.ServerStreamingServer[fleetv1.AskResponse]) error {
	return r.ask(stream)
}
