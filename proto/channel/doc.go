// Package channel has what connections between Cairn's processes are like, whoever
// dials whom. What only some of them need their packages add.
//
//	conn, err := channel.Dial("127.0.0.1:7600")
//	...
//	g := grpc.NewServer(channel.ServerOptions()...)
package channel
