package floor

import (
	"context"
	"errors"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	cairnv1 "cairn/proto/cairn/v1"
)

const (
	unaryMethod  = "/cairn.bench.Echo/Unary"
	streamMethod = "/cairn.bench.Echo/Stream"
	sizedMethod  = "/cairn.bench.Echo/Sized"
)

// echo answers each message with itself, or with what the next server makes
// of it.
type echo struct {
	next *grpc.ClientConn // nil: this is the last one
}

var streamDesc = grpc.StreamDesc{StreamName: "Stream", ServerStreams: true, ClientStreams: true}

func (e *echo) description() *grpc.ServiceDesc {
	stream := streamDesc
	stream.Handler = func(_ any, stream grpc.ServerStream) error { return e.stream(stream) }
	unary := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		return e.unary(ctx, decode)
	}
	sized := func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		return sized(decode)
	}
	return &grpc.ServiceDesc{
		ServiceName: "cairn.bench.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}, {MethodName: "Sized", Handler: sized}},
		Streams:     []grpc.StreamDesc{stream},
	}
}

func (e *echo) unary(ctx context.Context, decode func(any) error) (any, error) {
	request := new(cairnv1.LocateRequest)
	if err := decode(request); err != nil {
		return nil, err
	}
	if e.next == nil {
		return request, nil
	}
	response := new(cairnv1.LocateRequest)
	return response, e.next.Invoke(ctx, unaryMethod, request, response)
}

// sized answers with as many bytes as it is asked for.
func sized(decode func(any) error) (any, error) {
	request := new(wrapperspb.UInt32Value)
	if err := decode(request); err != nil {
		return nil, err
	}
	return wrapperspb.Bytes(make([]byte, request.GetValue())), nil
}

func (e *echo) stream(stream grpc.ServerStream) error {
	if e.next == nil {
		return pass(stream, stream)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	onward, err := e.next.NewStream(ctx, &streamDesc, streamMethod)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		err := pass(stream, onward)
		sent <- errors.Join(err, onward.CloseSend())
	}()
	if err := pass(onward, stream); err != nil {
		return err
	}
	return <-sent
}

// messages is either end of a stream.
type messages interface {
	SendMsg(message any) error
	RecvMsg(message any) error
}

// pass sends on what it receives until the sender has no more.
func pass(from, to messages) error {
	for {
		message := new(cairnv1.StreamLocateRequest)
		if err := from.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := to.SendMsg(message); err != nil {
			return err
		}
	}
}

// Serve runs an echo server on a loopback port, in front of the server at
// next or, if that is empty, as the last one. It calls serving with its
// address and stops when serving returns.
func Serve(next string, serving func(address string) error) error {
	service := &echo{}
	if next != "" {
		conn, err := Dial(next)
		if err != nil {
			return err
		}
		defer conn.Close()
		service.next = conn
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	server.RegisterService(service.description(), nil)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = serving(listener.Addr().String())
	server.Stop()
	return errors.Join(err, <-served)
}

// Dial connects to a server on loopback.
func Dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}
