// Package secure is mutual TLS out of three PEM files: what a process shows, the key of
// that, and whom it trusts.
//
//	transport, err := secure.Open(secure.Files{Cert: "a.pem", Key: "a.key", CA: "ca.pem"}, log)
//	listener = transport.Listener(listener, log)
//	conn, err := grpc.NewClient(address, transport.DialOption())
//
// Both sides show a certificate that an authority of the CA file has signed; who calls
// checks also that it is the called host's. Nothing less than TLS 1.3 is spoken. A nil
// *Transport is none: all goes in the clear.
package secure
