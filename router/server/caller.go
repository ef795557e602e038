package server

import (
	"context"
	"net"

	"google.golang.org/grpc/peer"

	"cairn"
)

// Caller is who calls.
type Caller interface {
	// Name is the caller as logs name it.
	Name() string
}

// Authenticator tells who calls by what a call's context carries. An error
// refuses the call.
type Authenticator interface {
	Authenticate(ctx context.Context) (Caller, error)
}

// PeerAddress is an Authenticator that knows callers by their address.
type PeerAddress struct{}

// Authenticate implements Authenticator. It fails where the connection has no
// address, which no listener makes.
func (PeerAddress) Authenticate(ctx context.Context) (Caller, error) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return nil, cairn.Errorf(cairn.KindInternal, "CALLER_UNKNOWN", "the connection has no address")
	}
	return addressed{from.Addr}, nil
}

// addressed is a caller known by its address.
type addressed struct{ net.Addr }

func (a addressed) Name() string { return a.Addr.String() }

type callerKey struct{}

// CallerFrom is who made the call that a handler's context is of; nil outside
// of one.
func CallerFrom(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	return caller
}
