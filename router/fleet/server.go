package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"

	"cairn"
	fleetv1 "cairn/proto/cairn/fleet/v1"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
	"cairn/router"
)

const (
	// beat is how often a router that is at it says so, and silence how long one may
	// say nothing: enough beats for a busy machine.
	beat    = 50 * time.Millisecond
	silence = 6 * beat
	// maxRequestBytes bounds a question: long ones are not for the fleet.
	maxRequestBytes = 64 << 10
)

// Server answers the other routers of the fleet.
type Server struct {
	fleetv1.UnimplementedFleetServer
	router router.Member
	log    *slog.Logger
}

// NewServer makes a Server that answers out of a router.
func NewServer(answers router.Member, log *slog.Logger) *Server {
	return &Server{router: answers, log: log}
}

// ServerOptions are what a grpc.Server needs to serve this API.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(maxRequestBytes), grpc.MaxSendMsgSize(indexv1.MaxMessageBytes)}
}

// Register adds the service to a grpc.Server.
func (s *Server) Register(r grpc.ServiceRegistrar) { fleetv1.RegisterFleetServer(r, s) }

// answer is what has become of a part.
type answer struct {
	reply *cairn.ViewReply
	err   error
}

// Ask answers a part.
func (s *Server) Ask(message *fleetv1.AskRequest, stream grpc.ServerStreamingServer[fleetv1.AskResponse]) error {
	part, err := decodePart(message)
	if err != nil {
		return rpcerr.ToStatus(err).Err()
	}
	answers := make(chan answer, 1)
	go func() { answers <- s.answer(stream.Context(), part) }()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case a := <-answers:
			if a.err != nil {
				return rpcerr.ToStatus(a.err).Err()
			}
			var made indexv1.ViewAnswer
			if err := made.Fill(part.Asked, a.reply); err != nil {
				return rpcerr.ToStatus(err).Err()
			}
			return stream.Send(&fleetv1.AskResponse{Answer: &made.Response})
		case <-ticker.C:
			if err := stream.Send(new(fleetv1.AskResponse)); err != nil {
				<-answers // the context has ended
				return err
			}
		}
	}
}

// answer is the router's. What panics there harms nobody but who asked.
func (s *Server) answer(ctx context.Context, part *router.Part) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a question of another router panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			a = answer{err: cairn.Errorf(cairn.KindInternal, "PANICKED", "answering the question failed")}
		}
	}()
	reply, err := s.router.AnswerPart(ctx, part)
	return answer{reply, err}
}
