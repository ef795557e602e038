package server

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"cairn"
)

// job is one request of a stream on which requests carry ids, with all that
// answering it needs.
type job[Req, Resp any] interface {
	// message is what the request is received into.
	message() *Req
	// try is the answer, nil where it may have to wait or takes long.
	try(index Index) *Resp
	// run is the answer of a job that try had none for.
	run(ctx context.Context, index Index) *Resp
	// size is how many bytes the request holds until it is answered.
	size() int
	// release gives the job back once its answer is sent.
	release()
}

// exchange answers one stream of requests until its client ends it: where they
// are read if that takes no wait, and else by a crew of so many workers. Once
// the server drains, stopping asks the client to end the stream.
func exchange[Req, Resp any, J job[Req, Resp]](s *Server, stream grpc.BidiStreamingServer[Req, Resp], workers int, next func() J, stopping *Resp) error {
	ctx := stream.Context()
	out := &replies[Resp]{stream: stream}
	defer out.close()
	var waiting *crew[J]
	waiting = newCrew(workers, func(job J) {
		size := job.size()
		out.send(job.run(ctx, s.index))
		job.release()
		waiting.free(size)
	})
	defer waiting.close()
	defer context.AfterFunc(s.draining, func() { out.send(stopping) })()

	for {
		job := next()
		if err := stream.RecvMsg(job.message()); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if response := job.try(s.index); response != nil {
			out.send(response)
			job.release()
			continue
		}
		if err := waiting.do(ctx, job.size(), job); err != nil {
			return err
		}
	}
}

// noWait has ended: an index that is asked with it does not wait.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// wouldWait tells whether a request failed only because it was asked with
// noWait.
func wouldWait(err error) bool {
	if err == nil {
		return false
	}
	kind := cairn.KindOf(err)
	return kind == cairn.KindNotYet || kind == cairn.KindDeadline
}
