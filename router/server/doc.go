// Package server is the public gRPC edge of a router: the services Locator,
// Writer, Changes, Views and Admin of package cairn.v1, translated to calls of
// package router and router/admin and back. It decides nothing itself.
//
//	s, err := server.New(server.Config{Router: r, Admin: a, Log: log})
//	g := grpc.NewServer(s.Options()...)
//	s.Register(g)
//
// Requests are bounded: a message has at most MaxMessageBytes, which a batch
// of 10,000 keys fits only while the keys have about 100 bytes. A larger one is
// refused with RESOURCE_EXHAUSTED and the reason MESSAGE_TOO_LARGE, and a batch
// of a StreamLocate is so without ending the stream; one of more than four
// times the size gRPC refuses unread, with a text of its own and no details.
// Pages are bounded by entries and by bytes, a StreamLocate by how many of its
// batches are under way, and what errors repeat of their input by what the
// trailers of a call may have.
//
// Every failure is a google.rpc.Status with details, see package proto/rpcerr;
// so are those of single keys and writes inside a response. A panic in a
// handler is logged with its stack and answered as INTERNAL.
//
// Who calls is told by an Authenticator and carried in the context, see
// CallerFrom. Health and reflection are the business of whoever makes the
// grpc.Server.
package server
