package server

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

// job is one request of a stream on which requests carry ids, with all that
// answering it needs.
type job[Resp any] interface {
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
// the server drains, stopping asks the client to end the stream. Requests that
// came in one message are answered in one, as far as they take no wait.
func exchange[Req, Resp any, M indexv1.Joint[Req], A indexv1.Joint[Resp], J job[Resp]](
	s *Server, stream grpc.BidiStreamingServer[Req, Resp], workers int, jobOf func(*Req) J, stopping A,
) error {
	ctx := stream.Context()
	out := newReplies(stream.Send, indexv1.SendJoined[Resp, A])
	defer out.close()
	var waiting *crew[J]
	waiting = newCrew(workers, func(job J) {
		size := job.size()
		out.join(job.run(ctx, s.index))
		job.release()
		waiting.free(size)
	})
	defer waiting.close()
	defer context.AfterFunc(s.draining, func() { out.join(stopping) })()

	ready := answered[Resp, A, J]{to: out}
	for {
		message := M(new(Req))
		if err := stream.RecvMsg(message); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		for _, request := range indexv1.Separate(message) {
			job := jobOf(request)
			if response := job.try(s.index); response != nil {
				ready.add(job, response)
				continue
			}
			ready.send() // they don't wait until the crew has a worker
			if err := waiting.do(ctx, job.size(), job); err != nil {
				return err
			}
		}
		ready.send()
	}
}

// answered are jobs of one message whose answers have not been sent.
type answered[Resp any, A indexv1.Joint[Resp], J job[Resp]] struct {
	to        *replies[Resp]
	jobs      []J
	responses []*Resp
	bytes     int
}

// add adds an answer. Those before it are sent if it would be too much for one
// message.
func (a *answered[Resp, A, J]) add(job J, response A) {
	size := proto.Size(response)
	if a.bytes+size > indexv1.JoinedBytes {
		a.send()
	}
	a.jobs, a.responses, a.bytes = append(a.jobs, job), append(a.responses, response), a.bytes+size
}

func (a *answered[Resp, A, J]) send() {
	if len(a.jobs) == 0 {
		return
	}
	a.to.send(a.responses...)
	for _, job := range a.jobs {
		job.release()
	}
	clear(a.jobs)
	clear(a.responses)
	a.jobs, a.responses, a.bytes = a.jobs[:0], a.responses[:0], 0
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
