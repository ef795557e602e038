// Package peer is the router's side of the private API: one index server,
// reached over one gRPC connection.
//
//	index, err := peer.Dial("127.0.0.1:7711", peer.Options{})
//	...
//	defer index.Close()
//	err = index.Locate(ctx, &request, &reply)
//
// Locates travel on a few long-lived streams, writes and questions about views
// on a few others each, many callers at once, told apart by ids. A stream that breaks fails the calls
// that wait on it, and the next call opens another; gRPC reconnects by itself.
//
// A read that fails because the server could not be reached is
// KindUnavailable. A write is KindUnavailable (or KindDeadline) where it
// surely was not sent, and KindUnknown (OUTCOME_UNKNOWN) where it was sent and
// not answered.
package peer
