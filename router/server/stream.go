package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

// Of one stream are under way at a time batches of so many bytes; the next ones
// wait in the connection. A batch counts as leastBatch at least, for what it is
// besides its keys: so many small ones may wait for one cluster and hold up no
// batch for another.
const (
	streamBytes = 16 << 20
	leastBatch  = 16 << 10
)

// idleWorkers is how many goroutines of one stream are kept for the next batches.
const idleWorkers = 16

type locateStream = grpc.BidiStreamingServer[cairnv1.StreamLocateRequest, cairnv1.StreamLocateResponse]

// StreamLocate answers batches as they come, each as soon as it can be.
func (l *locator) StreamLocate(stream locateStream) error {
	answering := &answering{
		locator: l, stream: stream, ctx: stream.Context(),
		room: semaphore.NewWeighted(streamBytes), work: make(chan *streamRequest), idle: make(chan struct{}, idleWorkers),
	}
	err := answering.read()
	if answering.stopListening != nil {
		answering.stopListening()
	}
	close(answering.work)
	answering.workers.Wait()
	if ended := answering.end(); err == nil {
		err = ended
	}
	return err
}

// answering is one StreamLocate. One goroutine reads; workers, as many as are
// busy at once, answer.
type answering struct {
	locator *locator
	stream  locateStream
	ctx     context.Context
	room    *semaphore.Weighted
	work    chan *streamRequest
	idle    chan struct{} // a signal for each worker that waits for work
	workers sync.WaitGroup
	// stopListening is set once the client is one who is told of the server's end.
	stopListening func() bool

	sending sync.Mutex // guards the stream's sending side, and what follows
	err     error      // the first failure to send
	ended   bool       // nothing is sent any more
}

// read hands the stream's requests to workers until the client has no more.
func (a *answering) read() error {
	for {
		request := streamRequests.Get().(*streamRequest)
		if err := a.stream.RecvMsg(request); err != nil {
			streamRequests.Put(request)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if draining := a.locator.server.config.Draining; request.inParts && a.stopListening == nil && draining != nil {
			a.stopListening = context.AfterFunc(draining, a.askForEnd)
		}
		if err := a.room.Acquire(a.ctx, request.weight()); err != nil {
			request.release()
			return err
		}
		select {
		case <-a.idle:
			a.work <- request
		default:
			a.workers.Go(func() { a.answer(request) })
		}
	}
}

// answer is a worker, which begins with a request. It says so in idle whenever it
// waits for more, and ends where enough others do.
func (a *answering) answer(request *streamRequest) {
	for more := true; more; request, more = <-a.work {
		weight := request.weight()
		a.answerOne(request)
		a.room.Release(weight)
		select {
		case a.idle <- struct{}{}:
		default:
			return
		}
	}
}

// askForEnd asks the client to end the stream, in a response without an id.
func (a *answering) askForEnd() {
	response := &streamResponse{}
	response.fail(rpcerr.ToProto(cairn.Errorf(cairn.KindUnavailable, "SHUTTING_DOWN", "this router is stopping; ask again")))
	a.send(response)
}

// send sends a response, unless an earlier one could not be sent.
func (a *answering) send(response *streamResponse) {
	a.sending.Lock()
	defer a.sending.Unlock()
	if a.err == nil && !a.ended {
		a.err = a.stream.SendMsg(response)
	}
}

// end has nothing sent any more, and is why nothing could be.
func (a *answering) end() error {
	a.sending.Lock()
	defer a.sending.Unlock()
	a.ended = true
	return a.err
}

// answerOne answers one batch.
func (a *answering) answerOne(request *streamRequest) {
	defer request.release()
	events := a.locator.server.config.Events
	began := events.began()
	err := a.locate(request)
	if err != nil {
		response := &streamResponse{id: request.id}
		response.fail(rpcerr.ToProto(rpcerr.FromError(err)))
		a.send(response)
		err = asStatus(err)
	}
	events.ended(cairnv1.Locator_StreamLocate_FullMethodName, began, err)
}

// locate answers a batch, unless it fails as a whole. The fields that its errors
// name are those of the batch.
func (a *answering) locate(request *streamRequest) (err error) {
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
	left := timeOf(a.ctx)
	if request.limited {
		left = request.timeout.value()
	}
	leave, err := a.locator.server.letIn(a.ctx, &a.locator.server.gates.reads, request.count, left)
	if err != nil {
		return err
	}
	defer func() { leave(err == nil) }()
	ctx := a.ctx
	if request.limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lessReturn(request.timeout.value()))
		defer cancel()
	}
	router := a.locator.router
	if request.inParts {
		return router.BatchLocateInParts(ctx, keyspace, request.keys, request.read, func(locations []cairn.Location, positions []int32, token cairn.Token) {
			a.sendPart(request.id, locations, positions, token)
		})
	}
	locations, token, err := router.BatchLocate(ctx, keyspace, request.keys, request.read)
	if err != nil {
		return err
	}
	response := &streamResponse{id: request.id}
	if err := response.fill(locations, token); err != nil {
		response.discard()
		return err
	}
	a.send(response)
	return nil
}

// sendPart answers the keys at some positions of a batch, all if nil. A part that
// is too large for a message fails by itself.
func (a *answering) sendPart(id uint64, locations []cairn.Location, positions []int32, token cairn.Token) {
	response := &streamResponse{id: id, positions: positions}
	defer func() {
		if recovered := recover(); recovered != nil {
			response.fail(rpcerr.ToProto(rpcerr.FromError(a.locator.server.panicked(a.ctx, cairnv1.Locator_StreamLocate_FullMethodName, recovered))))
		}
		a.send(response)
	}()
	if err := response.fill(selected(locations, positions), token); err != nil {
		response.fail(rpcerr.ToProto(rpcerr.FromError(err)))
	}
}

// selected are the elements at positions, all if nil.
func selected(locations []cairn.Location, positions []int32) []cairn.Location {
	if positions == nil {
		return locations
	}
	out := make([]cairn.Location, len(positions))
	for i, position := range positions {
		out[i] = locations[position]
	}
	return out
}
