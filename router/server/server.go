package server

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router"
	"cairn/router/admin"
)

// MaxMessageBytes is how large a request may be by default.
const MaxMessageBytes = 1 << 20

// explainedFactor is how many times the limit a request may have and still be
// read, so that the refusal can say what to do. What is larger gRPC refuses by
// itself, unread and without details.
const explainedFactor = 4

// Config is what a Server needs.
type Config struct {
	Router *router.Router
	// Views serves the Views service and Admin.ExportView; the Router if nil.
	Views Views
	// Admin serves the Admin service; nil for none.
	Admin *admin.Admin
	// Log is slog.Default if nil.
	Log *slog.Logger
	// Authenticator is PeerAddress if nil.
	Authenticator Authenticator
	// MaxMessageBytes bounds a request; 0 for MaxMessageBytes.
	MaxMessageBytes int
	// Timeout bounds a call of Admin that has no deadline; 0 for
	// router.DefaultTimeout. The others are bounded by the Router.
	Timeout time.Duration
	// Admission bounds what callers may ask; with nil nothing does.
	Admission *Admission
	// Draining, if set, ends when the server is about to stop: clients are asked
	// then to end the streams that they keep open.
	Draining context.Context
	// Events are told what happens; the zero Events are not.
	Events Events
}

// Server is the public gRPC edge.
type Server struct {
	config Config
	gates  *gates
}

// New makes a Server. It fails with KindInvalid without a Router.
func New(config Config) (*Server, error) {
	if config.Router == nil {
		return nil, cairn.Errorf(cairn.KindInvalid, "CONFIG_INCOMPLETE", "a server needs a Router")
	}
	if config.Views == nil {
		config.Views = config.Router
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Authenticator == nil {
		config.Authenticator = PeerAddress{}
	}
	if config.MaxMessageBytes == 0 {
		config.MaxMessageBytes = MaxMessageBytes
	}
	if config.Timeout == 0 {
		config.Timeout = router.DefaultTimeout
	}
	return &Server{config: config, gates: newGates()}, nil
}

// Options are what a grpc.Server for Register must be made with.
func (s *Server) Options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(explainedFactor * s.config.MaxMessageBytes),
		grpc.ForceServerCodecV2(codec{}),
		grpc.InTapHandle(s.tapped),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
	}
}

// Register adds the services.
func (s *Server) Register(to grpc.ServiceRegistrar) {
	cairnv1.RegisterLocatorServer(to, &locator{router: s.config.Router, server: s})
	cairnv1.RegisterWriterServer(to, &writer{router: s.config.Router})
	cairnv1.RegisterChangesServer(to, &changes{router: s.config.Router})
	cairnv1.RegisterViewsServer(to, &views{router: s.config.Views})
	if s.config.Admin != nil {
		cairnv1.RegisterAdminServer(to, &administration{admin: s.config.Admin, views: s.config.Views})
	}
}

// GRPC makes a grpc.Server with the services and these further options.
func (s *Server) GRPC(more ...grpc.ServerOption) *grpc.Server {
	g := grpc.NewServer(append(s.Options(), more...)...)
	s.Register(g)
	return g
}
