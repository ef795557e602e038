package server

import (
	"context"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"cairn"
	"cairn/proto/rpcerr"
	"cairn/shardmap"
)

// adminMethods begin the full names of the methods that change the map.
const adminMethods = "/cairn.v1.Admin/"

// longestReturn bounds the time that is kept for an answer's way back.
const longestReturn = 100 * time.Millisecond

// unary is around every unary call.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	began := s.config.Events.began()
	defer func() {
		if recovered := recover(); recovered != nil {
			resp, err = nil, s.panicked(ctx, info.FullMethod, recovered)
		}
		s.config.Events.ended(info.FullMethod, began, err)
	}()
	if ctx, err = s.identified(ctx, info.FullMethod); err != nil {
		return nil, asStatus(err)
	}
	if message, ok := req.(proto.Message); ok {
		if err := s.checkRequest(proto.Size(message)); err != nil {
			return nil, asStatus(err)
		}
	}
	if gate := s.gates.of(info.FullMethod); gate != nil {
		leave, err := s.letIn(ctx, gate, thingsIn(req), timeOf(ctx))
		if err != nil {
			return nil, asStatus(err)
		}
		defer func() { leave(err == nil) }()
	}
	ctx, cancel := s.bound(ctx, info.FullMethod)
	defer cancel()
	resp, err = handle(ctx, req)
	if err != nil {
		return nil, asStatus(err)
	}
	return resp, nil
}

// bound is the time that a call has here: less than its caller's by what an
// answer takes to get back, so that the caller is told what was waited for and
// does not have to guess it.
func (s *Server) bound(ctx context.Context, method string) (context.Context, context.CancelFunc) {
	if deadline, has := ctx.Deadline(); has {
		left := time.Until(deadline)
		return context.WithDeadline(ctx, deadline.Add(lessReturn(left)-left))
	}
	// A router bounds its requests by itself, and without a timer for each.
	if strings.HasPrefix(method, adminMethods) {
		return context.WithTimeout(ctx, s.config.Timeout)
	}
	return ctx, func() {}
}

// lessReturn is so much time without what is kept for the answer's way back.
func lessReturn(left time.Duration) time.Duration { return left - min(left/10, longestReturn) }

// stream is around every streaming call.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	ctx := stream.Context()
	began := s.config.Events.began()
	defer func() {
		if recovered := recover(); recovered != nil {
			err = s.panicked(ctx, info.FullMethod, recovered)
		}
		if err != nil || !info.IsClientStream {
			s.config.Events.ended(info.FullMethod, began, err)
		}
	}()
	if ctx, err = s.identified(ctx, info.FullMethod); err != nil {
		return asStatus(err)
	}
	return asStatus(handle(srv, servedStream{stream, ctx, s}))
}

// servedStream is a stream whose context knows the caller, and which refuses
// requests over the limit.
type servedStream struct {
	grpc.ServerStream
	ctx    context.Context
	server *Server
}

func (s servedStream) Context() context.Context { return s.ctx }

// RecvMsg refuses a request over the limit, which ends the stream. Those of
// StreamLocate are refused each by itself, see answering.
func (s servedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if message, ok := m.(proto.Message); ok {
		return s.server.checkRequest(proto.Size(message))
	}
	return nil
}

// checkRequest refuses a request that was read although it is over the limit.
func (s *Server) checkRequest(size int) error {
	if size > s.config.MaxMessageBytes {
		return cairn.Errorf(cairn.KindExhausted, "MESSAGE_TOO_LARGE",
			"the request has %d bytes; a request has at most %d: send fewer keys, writes or resources at once", size, s.config.MaxMessageBytes)
	}
	return nil
}

// checkCount refuses a batch of more than cairn.MaxBatch before it is looked
// into.
func checkCount(field string, count int) error {
	if count > cairn.MaxBatch {
		return cairn.Invalid(field, "BATCH_TOO_LARGE", "a batch of %d; a batch has 1 to %d", count, cairn.MaxBatch)
	}
	return nil
}

// identified is the context of a call to a method, which knows the caller: what is
// changed with it is remembered as the caller's.
func (s *Server) identified(ctx context.Context, method string) (context.Context, error) {
	caller, err := s.config.Authenticator.Authenticate(ctx)
	if err != nil {
		return ctx, err
	}
	if strings.HasPrefix(method, adminMethods) {
		ctx = shardmap.WithAuthor(ctx, shardmap.Author{Who: caller.Name(), Why: strings.TrimPrefix(method, adminMethods)})
	}
	return context.WithValue(ctx, callerKey{}, caller), nil
}

func (s *Server) panicked(ctx context.Context, method string, recovered any) error {
	name := ""
	if caller := CallerFrom(ctx); caller != nil {
		name = caller.Name()
	}
	s.config.Log.ErrorContext(ctx, "panic in a handler", "method", method, "caller", name, "panic", recovered, "stack", string(debug.Stack()))
	return asStatus(cairn.Errorf(cairn.KindInternal, "PANIC", "the server failed on this request; its log has the details"))
}

func asStatus(err error) error {
	if err == nil {
		return nil
	}
	return rpcerr.ToStatus(err).Err()
}
