package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

// streamDepth is how many batches of one stream are under way at a time. The
// next ones wait in the connection.
const streamDepth = 16

type locateStream = grpc.BidiStreamingServer[cairnv1.StreamLocateRequest, cairnv1.StreamLocateResponse]

// StreamLocate answers batches as they come, each as soon as it can be.
func (l *locator) StreamLocate(stream locateStream) error {
	answering := &answering{locator: l, stream: stream, ctx: stream.Context(), work: make(chan *streamRequest)}
	err := answering.read()
	close(answering.work)
	answering.workers.Wait()
	if err == nil {
		err = answering.err
	}
	return err
}

// answering is one StreamLocate. One goroutine reads; workers, as many as are
// busy at once, answer.
type answering struct {
	locator *locator
	stream  locateStream
	ctx     context.Context
	work    chan *streamRequest
	workers sync.WaitGroup

	sending sync.Mutex // guards the stream's sending side, and err
	err     error      // the first failure to send or panic
}

// read hands the stream's requests to workers until the client has no more.
func (a *answering) read() error {
	idle := make(chan struct{}, streamDepth)
	running := 0
	for {
		request := streamRequests.Get().(*streamRequest)
		if err := a.stream.RecvMsg(request); err != nil {
			streamRequests.Put(request)
			return readError(err)
		}
		select {
		case <-idle:
		default:
			if running < streamDepth {
				running++
				a.workers.Go(func() { a.answer(idle) })
			} else {
				select {
				case <-idle:
				case <-a.ctx.Done():
					request.release()
					return a.ctx.Err()
				}
			}
		}
		a.work <- request
	}
}

// readError is why a stream ended: nil if the client ended it.
func readError(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	if status.Code(err) == codes.ResourceExhausted {
		return cairn.Errorf(cairn.KindExhausted, "MESSAGE_TOO_LARGE", "a batch over the size of a message; send fewer keys in one: %s", status.Convert(err).Message())
	}
	return err
}

// answer is a worker. It says so in idle whenever it waits for work.
func (a *answering) answer(idle chan<- struct{}) {
	for request := range a.work {
		a.answerOne(request)
		idle <- struct{}{}
	}
}

// answerOne answers one batch.
func (a *answering) answerOne(request *streamRequest) {
	defer request.release()
	response := &streamResponse{id: request.id}
	keyspace, err := keyspaceName("batch.keyspace", request.keyspace)
	if err == nil {
		err = request.err
	}
	if err == nil {
		err = a.locate(keyspace, request, response)
	}
	if err != nil {
		response.fail(rpcerr.ToProto(rpcerr.FromError(err)))
	}
	a.sending.Lock()
	defer a.sending.Unlock()
	if a.err == nil {
		a.err = a.stream.SendMsg(response)
	}
}

func (a *answering) locate(keyspace string, request *streamRequest, response *streamResponse) (err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = a.locator.panicked(a.ctx, cairnv1.Locator_StreamLocate_FullMethodName, recovered)
		}
	}()
	locations, token, err := a.locator.router.BatchLocate(a.ctx, keyspace, request.keys, request.read)
	if err != nil {
		return err
	}
	return response.fill(locations, token)
}
