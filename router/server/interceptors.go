package server

import (
	"context"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"

	"cairn"
	"cairn/proto/rpcerr"
)

const adminMethods = "/cairn.v1.Admin/"

// unary is around every unary call.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			resp, err = nil, s.panicked(ctx, info.FullMethod, recovered)
		}
	}()
	if ctx, err = s.identified(ctx); err != nil {
		return nil, asStatus(err)
	}
	// A router bounds its requests by itself, and without a timer for each.
	if _, has := ctx.Deadline(); !has && strings.HasPrefix(info.FullMethod, adminMethods) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
	}
	resp, err = handle(ctx, req)
	if err != nil {
		return nil, asStatus(err)
	}
	return resp, nil
}

// stream is around every streaming call.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	ctx := stream.Context()
	defer func() {
		if recovered := recover(); recovered != nil {
			err = s.panicked(ctx, info.FullMethod, recovered)
		}
	}()
	if ctx, err = s.identified(ctx); err != nil {
		return asStatus(err)
	}
	return asStatus(handle(srv, identifiedStream{stream, ctx}))
}

// identifiedStream is a stream whose context knows the caller.
type identifiedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s identifiedStream) Context() context.Context { return s.ctx }

func (s *Server) identified(ctx context.Context) (context.Context, error) {
	caller, err := s.config.Authenticator.Authenticate(ctx)
	if err != nil {
		return ctx, err
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
