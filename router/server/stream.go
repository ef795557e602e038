package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

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
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
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
	events := a.locator.server.config.Events
	began := events.began()
	response := &streamResponse{id: request.id}
	err := a.locate(request, response)
	if err != nil {
		response.fail(rpcerr.ToProto(rpcerr.FromError(err)))
		err = asStatus(err)
	}
	events.ended(cairnv1.Locator_StreamLocate_FullMethodName, began, err)
	a.sending.Lock()
	defer a.sending.Unlock()
	if a.err == nil {
		a.err = a.stream.SendMsg(response)
	}
}

// locate fills in the response. The fields that its errors name are those of
// the batch.
func (a *answering) locate(request *streamRequest, response *streamResponse) (err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = a.locator.server.panicked(a.ctx, cairnv1.Locator_StreamLocate_FullMethodName, recovered)
		}
	}()
	if err := a.locator.server.checkRequest(request.size()); err != nil {
		return err
	}
	keyspace, err := keyspaceName("keyspace", request.keyspace)
	if err != nil {
		return err
	}
	if request.err != nil {
		return request.err
	}
	if err := checkCount("keys", request.count); err != nil {
		return err
	}
	leave, err := a.locator.server.config.Admission.enter(limitedAs(CallerFrom(a.ctx)), request.count)
	if err != nil {
		return err
	}
	defer leave()
	locations, token, err := a.locator.router.BatchLocate(a.ctx, keyspace, request.keys, request.read)
	if err != nil {
		return err
	}
	return response.fill(locations, token)
}
