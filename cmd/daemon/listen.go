package daemon

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"cairn"
)

// listen opens a listener of a server: of TLS, if the server has that.
func (c *Common) listen(field, address string) (net.Listener, error) {
	listener, err := listen(field, address, c.Insecure || c.transport != nil)
	if err != nil {
		return nil, err
	}
	return c.transport.Listener(listener, c.Log), nil
}

// listen opens a TCP listener. An address that is not on the loopback
// interface is refused unless insecure is set: KindInvalid with the reason
// LISTENER_INSECURE. One that is taken is KindUnavailable, ADDRESS_IN_USE.
// field names the setting that the address came from.
func listen(field, address string, insecure bool) (net.Listener, error) {
	// Resolved once, so that what is checked is what is bound.
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, cairn.Invalid(field, "LISTEN_MALFORMED", "%q is not an address to listen on (%w); one looks like %s", address, err, DefaultListen)
	}
	if !resolved.IP.IsLoopback() && !insecure {
		return nil, cairn.Invalid(field, "LISTENER_INSECURE",
			"%s is not on the loopback interface, and without TLS whoever reaches it can read and change everything; name the files of --tls-cert, --tls-key and --tls-ca, listen on 127.0.0.1, or pass --insecure if the network keeps others out",
			address)
	}
	listener, err := net.ListenTCP("tcp", resolved)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &cairn.Error{Kind: cairn.KindUnavailable, Reason: "ADDRESS_IN_USE", Field: field,
			Err: fmt.Errorf("%s is in use by another process; stop that one, or listen elsewhere", address)}
	case err != nil:
		return nil, &cairn.Error{Kind: cairn.KindUnavailable, Reason: "LISTEN_FAILED", Field: field, Err: err}
	}
	return listener, nil
}
