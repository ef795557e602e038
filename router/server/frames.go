package server

import (
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/wire"
)

// streamRequest is a StreamLocateRequest whose keys refer to the bytes that it
// came in.
type streamRequest struct {
	id       uint64
	keyspace string
	// keys are the first cairn.MaxBatch keys; count is how many there are.
	keys  []cairn.Key
	count int
	read  cairn.Reading
	// timeout is how long the answer may take, if limited.
	timeout duration
	limited bool
	inParts bool
	// err is why the batch can't be asked although the message is whole.
	err    error
	buffer mem.Buffer
}

var streamRequests = sync.Pool{New: func() any { return new(streamRequest) }}

// release gives the request and its bytes back.
func (r *streamRequest) release() {
	if r.buffer != nil {
		r.buffer.Free()
	}
	clear(r.keys)
	// The name stays: the next request mostly has the same one.
	*r = streamRequest{keyspace: r.keyspace, keys: r.keys[:0]}
	streamRequests.Put(r)
}

// decode reads a message. It keeps the buffer until release, which is due
// after an error too.
func (r *streamRequest) decode(buffer mem.Buffer) error {
	*r = streamRequest{keyspace: r.keyspace, keys: r.keys[:0], buffer: buffer}
	var batch batchFields
	err := wire.EachField(buffer.ReadOnlyData(), func(field wire.Field, value uint64, bytes []byte) error {
		switch field {
		case requestID:
			r.id = value
		case requestBatch:
			return r.decodeBatch(bytes, &batch)
		case requestTimeout:
			r.limited = true
			return r.timeout.decode(bytes)
		case requestInParts:
			r.inParts = protowire.DecodeBool(value)
		}
		return nil
	})
	if err != nil {
		return r.broken(err)
	}
	if string(batch.keyspace) != r.keyspace {
		r.keyspace = string(batch.keyspace)
	}
	r.read, r.err = reading(batch.freshness, batch.view)
	return nil
}

// size is how many bytes the message has.
func (r *streamRequest) size() int {
	if r.buffer == nil {
		return 0
	}
	return r.buffer.Len()
}

// weight is what the request counts of streamBytes.
func (r *streamRequest) weight() int64 { return int64(min(max(r.size(), leastBatch), streamBytes)) }

// broken gives the buffer back: a message that can't be read ends the stream.
func (r *streamRequest) broken(err error) error {
	r.buffer.Free()
	r.buffer = nil
	return err
}

// batchFields are a batch but for its keys.
type batchFields struct {
	keyspace  []byte
	view      cairnv1.LocationView
	freshness *cairnv1.Freshness
}

// decodeBatch reads a batch. What comes twice merges, as protobuf says.
func (r *streamRequest) decodeBatch(batch []byte, into *batchFields) error {
	return wire.EachField(batch, func(field wire.Field, value uint64, bytes []byte) error {
		switch field {
		case batchKeyspace:
			into.keyspace = bytes
			if !utf8.Valid(bytes) {
				return errNotUTF8
			}
		case batchKey:
			// A message has room for a million empty keys: what no batch may
			// have is not kept.
			if r.count++; r.count <= cairn.MaxBatch {
				r.keys = append(r.keys, bytes)
			}
		case batchView:
			into.view = cairnv1.LocationView(value)
		case batchFreshness:
			if into.freshness == nil {
				into.freshness = new(cairnv1.Freshness)
			}
			return proto.UnmarshalOptions{Merge: true}.Unmarshal(bytes, into.freshness)
		}
		return nil
	})
}

// duration is a google.protobuf.Duration.
type duration struct {
	seconds int64
	nanos   int32
}

// decode reads one. What comes twice merges.
func (d *duration) decode(message []byte) error {
	return wire.EachField(message, func(field wire.Field, value uint64, _ []byte) error {
		switch field {
		case durationSeconds:
			d.seconds = int64(value)
		case durationNanos:
			d.nanos = int32(value)
		}
		return nil
	})
}

func (d duration) value() time.Duration {
	return (&durationpb.Duration{Seconds: d.seconds, Nanos: d.nanos}).AsDuration()
}

// The fields of StreamLocateRequest, BatchLocateRequest and Duration.
var (
	requestID      = wire.FieldOf(1, protowire.VarintType)
	requestBatch   = wire.FieldOf(2, protowire.BytesType)
	requestTimeout = wire.FieldOf(3, protowire.BytesType)
	requestInParts = wire.FieldOf(4, protowire.VarintType)
	batchKeyspace  = wire.FieldOf(1, protowire.BytesType)
	batchKey       = wire.FieldOf(2, protowire.BytesType)
	batchView      = wire.FieldOf(3, protowire.VarintType)
	batchFreshness = wire.FieldOf(4, protowire.BytesType)

	durationSeconds = wire.FieldOf(1, protowire.VarintType)
	durationNanos   = wire.FieldOf(2, protowire.VarintType)
)

var errNotUTF8 = errors.New("the batch's keyspace is not UTF-8")

// streamResponse is a StreamLocateResponse as it goes out: its id, the positions
// that it is about and, in the field that it is of, the rest.
type streamResponse struct {
	id        uint64
	positions []int32
	field     protowire.Number
	result    *[]byte // from the pool
}

var responsePool = mem.DefaultBufferPool()

// The fields of StreamLocateResponse.
const (
	fieldBatch     = 2
	fieldError     = 3
	fieldPositions = 4
)

func (r *streamResponse) fail(status *statuspb.Status) {
	// A status is strings and numbers: it always marshals.
	bytes, _ := proto.Marshal(status)
	r.discard()
	r.field, r.result = fieldError, &bytes
}

func (r *streamResponse) discard() {
	if r.result != nil && r.field == fieldBatch {
		responsePool.Put(r.result)
	}
	r.result = nil
}

// fill writes a BatchLocateResponse. It refuses one that clients would not
// take.
func (r *streamResponse) fill(locations []cairn.Location, token cairn.Token) error {
	const bytesEach = 12
	buffer := responsePool.Get(1024 + bytesEach*len(locations))
	out := (*buffer)[:0]
	var table nodeTable
	errors := newErrorBudget(countErrors(locations))
	for i := range locations {
		out = appendLocation(out, &locations[i], &table, errors)
	}
	for _, ref := range table.refs {
		out = protowire.AppendTag(out, 2, protowire.BytesType)
		out = protowire.AppendVarint(out, uint64(proto.Size(ref)))
		// A reference is strings: it always marshals, if they are UTF-8, which
		// the catalog sees to.
		out, _ = proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(out, ref)
	}
	if text := token.String(); text != "" {
		out = protowire.AppendTag(out, 3, protowire.BytesType)
		out = protowire.AppendString(out, text)
	}
	*buffer = out
	r.field, r.result = fieldBatch, buffer
	return checkResponse(len(out))
}

// appendLocation writes field 1 of a BatchLocateResponse. The locations of a
// basic view, which are many, have few small fields.
func appendLocation(out []byte, location *cairn.Location, table *nodeTable, errors errorBudget) []byte {
	out = protowire.AppendTag(out, 1, protowire.BytesType)
	if location.Err != nil || location.Attributes != nil || !location.Version.IsZero() {
		var full cairnv1.Location
		fillLocation(&full, location, table)
		errors.shorten(full.GetError())
		out = protowire.AppendVarint(out, uint64(proto.Size(&full)))
		out, _ = proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(out, &full)
		return out
	}
	if location.State != cairn.Found {
		return append(out, 2, 1<<3, byte(cairnv1.Location_NOT_FOUND))
	}
	primary := table.add(location.Cluster, location.Primary)
	var refs [cairn.MaxReplicas]uint64
	packed := 0
	for i, replica := range location.Replicas {
		refs[i] = uint64(table.add(location.Cluster, replica))
		packed += protowire.SizeVarint(refs[i])
	}
	size := 2
	if primary != 0 {
		size += 1 + protowire.SizeVarint(uint64(primary))
	}
	if packed != 0 {
		size += 1 + protowire.SizeBytes(packed)
	}
	if location.Epoch != 0 {
		size += 1 + protowire.SizeVarint(location.Epoch)
	}
	out = protowire.AppendVarint(out, uint64(size))
	out = append(out, 1<<3, byte(cairnv1.Location_FOUND))
	if primary != 0 {
		out = append(out, 2<<3)
		out = protowire.AppendVarint(out, uint64(primary))
	}
	if packed != 0 {
		out = append(out, 3<<3|byte(protowire.BytesType))
		out = protowire.AppendVarint(out, uint64(packed))
		for _, ref := range refs[:len(location.Replicas)] {
			out = protowire.AppendVarint(out, ref)
		}
	}
	if location.Epoch != 0 {
		out = append(out, 7<<3)
		out = protowire.AppendVarint(out, location.Epoch)
	}
	return out
}

// buffers are the message's bytes. They take the result over: it goes back to
// its pool once it is sent.
func (r *streamResponse) buffers() mem.BufferSlice {
	head := make([]byte, 0, 32+3*len(r.positions))
	if r.id != 0 {
		head = protowire.AppendTag(head, 1, protowire.VarintType)
		head = protowire.AppendVarint(head, r.id)
	}
	if len(r.positions) > 0 {
		size := 0
		for _, position := range r.positions {
			size += protowire.SizeVarint(uint64(position))
		}
		head = protowire.AppendTag(head, fieldPositions, protowire.BytesType)
		head = protowire.AppendVarint(head, uint64(size))
		for _, position := range r.positions {
			head = protowire.AppendVarint(head, uint64(position))
		}
	}
	head = protowire.AppendTag(head, r.field, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(*r.result)))
	if r.field != fieldBatch {
		return mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(*r.result)}
	}
	return mem.BufferSlice{mem.SliceBuffer(head), mem.NewBuffer(r.result, responsePool)}
}
