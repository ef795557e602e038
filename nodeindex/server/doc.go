// Package server is the gRPC edge of a node index: the private service that
// routers call (package cairn.index.v1).
//
//	edge := server.New(replica)
//	g := grpc.NewServer(server.Options()...)
//	edge.Register(g)
//	go g.Serve(listener)
//	...
//	edge.Drain()       // streams and watches end once they are answered
//	g.GracefulStop()
//
// Locate, AskView and Write are long-lived streams on which requests carry ids
// and are answered in any order. A Locate that needs no wait, and a question
// whose answer is at hand, are answered where they were read; everything else
// runs on a bounded set of goroutines of its stream, and a stream that has them
// all busy is not read further. So a client that sends faster than it reads
// holds a bounded amount of memory and slows down nobody else.
//
// Caveat: a client must end a stream on which it is sent the response with id
// 0 (the server is about to stop), or it will be cut off.
package server
