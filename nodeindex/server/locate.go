package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// locateJob is one request with all that answering it needs, used again and
// again.
type locateJob struct {
	message  indexv1.LocateRequest
	request  cairn.LocateRequest
	reply    cairn.LocateReply
	response indexv1.LocateResponse
	packed   []byte
}

var locateJobs = sync.Pool{New: func() any { return new(locateJob) }}

// keepBytes is the largest buffer that is kept for the next request.
const keepBytes = 256 << 10

func (j *locateJob) release() {
	if cap(j.packed) > keepBytes || cap(j.request.Keys) > inlineKeys {
		return
	}
	// What the buffers refer to must not be kept alive.
	clear(j.request.Keys)
	clear(j.reply.Results)
	j.message.Reset()
	j.response.Reset()
	locateJobs.Put(j)
}

// noWait has ended: an index that is asked with it does not wait.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Locate answers one stream of requests until its client ends it.
func (s *Server) Locate(stream grpc.BidiStreamingServer[indexv1.LocateRequest, indexv1.LocateResponse]) error {
	ctx := stream.Context()
	out := &replies[indexv1.LocateResponse]{stream: stream}
	defer out.close()
	var waiting *crew[*locateJob]
	waiting = newCrew(locateWorkers, func(job *locateJob) {
		size := len(job.message.GetKeys())
		ctx, cancel := within(ctx, job.message.GetRead().GetTimeoutMicros())
		out.send(job.answer(s.index.Locate(ctx, &job.request, &job.reply)))
		cancel()
		job.release()
		waiting.free(size)
	})
	defer waiting.close()
	defer context.AfterFunc(s.draining, func() {
		out.send(&indexv1.LocateResponse{Error: rpcerr.ToProto(errStopping())})
	})()

	for {
		job := locateJobs.Get().(*locateJob)
		if err := stream.RecvMsg(&job.message); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := job.decode(); err != nil {
			out.send(job.answer(err))
			job.release()
			continue
		}
		if job.request.Level != cairn.Linearizable && len(job.request.Keys) <= inlineKeys {
			err := s.index.Locate(noWait, &job.request, &job.reply)
			if kind := cairn.KindOf(err); err == nil || kind != cairn.KindNotYet && kind != cairn.KindDeadline {
				out.send(job.answer(err))
				job.release()
				continue
			}
		}
		if err := waiting.do(ctx, len(job.message.GetKeys()), job); err != nil {
			return err
		}
	}
}

// decode reads the message into the request.
func (j *locateJob) decode() error {
	read, err := decodeRead(j.message.GetRead())
	if err != nil {
		return err
	}
	keys, err := indexv1.DecodeKeys(j.message.GetKeys(), j.request.Keys[:0])
	if err != nil {
		return err
	}
	j.request = cairn.LocateRequest{Read: read, WithAttributes: j.message.GetWithAttributes(), Keys: keys}
	return nil
}

// answer makes the response from the reply, or from err.
func (j *locateJob) answer(err error) *indexv1.LocateResponse {
	response := &j.response
	response.Id = j.message.GetId()
	if err == nil {
		j.packed = indexv1.AppendLocated(j.packed[:0], j.reply.Results, j.request.WithAttributes)
		err = checkSize(j.packed)
	}
	if err != nil {
		response.Error = rpcerr.ToProto(rpcerr.FromError(err))
		return response
	}
	response.Revision, response.Index = j.reply.Revision, j.reply.Index
	response.Results = j.packed
	return response
}

func decodeRead(message *indexv1.Read) (cairn.Read, error) {
	read := cairn.Read{Keyspace: cairn.UID(message.GetKeyspace()), Epoch: message.GetEpoch(), Index: message.GetIndex()}
	switch message.GetLevel() {
	case indexv1.Level_LEVEL_UNSPECIFIED, indexv1.Level_LEVEL_EVENTUAL:
		read.Level = cairn.Eventual
	case indexv1.Level_LEVEL_AT_LEAST:
		read.Level = cairn.AtLeast
	case indexv1.Level_LEVEL_LINEARIZABLE:
		read.Level = cairn.Linearizable
	default:
		return read, cairn.Invalid("read.level", "LEVEL_UNKNOWN", "a freshness level number %d, which this version does not know", message.GetLevel())
	}
	return read, nil
}

// checkSize refuses a packed field that would not fit a message.
func checkSize(packed []byte) error {
	if len(packed) > indexv1.MaxPackedBytes {
		return cairn.Errorf(cairn.KindExhausted, "REPLY_TOO_LARGE", "the reply has %d bytes, more than the %d of a message; ask for fewer keys at once",
			len(packed), indexv1.MaxPackedBytes)
	}
	return nil
}
