// Package server is the public gRPC edge of a router: the services Locator,
// Writer, Changes and Admin of package cairn.v1, translated to calls of
// package router and router/admin and back. It decides nothing itself.
//
//	s, err := server.New(server.Config{Router: r, Admin: a, Log: log})
//	g := grpc.NewServer(s.Options()...)
//	s.Register(g)
//
// Requests are bounded: a message has at most MaxMessageBytes, which a batch
// of 10,000 keys fits only while the keys have about 100 bytes. gRPC refuses a
// larger one with RESOURCE_EXHAUSTED before it is read. Pages are bounded by
// entries and by bytes, and a StreamLocate by how many of its batches are
// under way.
//
// Every failure is a google.rpc.Status with details, see package proto/rpcerr;
// so are those of single keys and writes inside a response. A panic in a
// handler is logged with its stack and answered as INTERNAL.
//
// Who calls is told by an Authenticator and carried in the context, see
// CallerFrom. Health and reflection are the business of whoever makes the
// grpc.Server.
package server
