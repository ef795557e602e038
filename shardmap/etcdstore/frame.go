package etcdstore

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"cairn"
)

// The journal is a sequence of frames: the length of the payload and its
// CRC-32C, 4 bytes big-endian each, and the payload, JSON. The first frame is
// the header; then come those of a snapshot, in ascending order of key, the
// last of them marked; then one for each change that followed.

// frame is one payload of the journal.
type frame struct {
	// Journal is there in the header only.
	Journal string `json:"journal,omitempty"`
	// Revision is which the records are up to.
	Revision uint64 `json:"revision,omitempty"`
	// Time is when the Map was known to be current, in nanoseconds since 1970.
	Time int64       `json:"time,omitempty"`
	Put  []framedPut `json:"put,omitempty"`
	// Delete are the keys that were deleted.
	Delete []string `json:"delete,omitempty"`
	// Complete marks the last frame of the snapshot.
	Complete bool `json:"complete,omitempty"`
}

type framedPut struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	// Revision is that of the record.
	Revision uint64 `json:"revision"`
}

const (
	journalForm   = "cairn shard map 1"
	frameHeader   = 8
	maxFrameBytes = 256 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends f to out.
func appendFrame(out []byte, f frame) []byte {
	payload, err := json.Marshal(f)
	if err != nil {
		panic(err) // the values are JSON that was read before
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(payload)))
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(payload, castagnoli))
	return append(out, payload...)
}

// framed is what changed, as a frame: of each key the last that became of it,
// since a frame does not say whether a key was deleted before it was put.
func framed(revision uint64, records []record) frame {
	last := make(map[string]int, len(records))
	for i := range records {
		last[records[i].key] = i
	}
	f := frame{Revision: revision}
	for i, r := range records {
		if last[r.key] != i {
			continue
		}
		if r.value == nil {
			f.Delete = append(f.Delete, r.key)
		} else {
			f.Put = append(f.Put, framedPut{r.key, r.value, r.modRevision})
		}
	}
	return f
}

func (f frame) records() []record {
	out := make([]record, 0, len(f.Put)+len(f.Delete))
	for _, put := range f.Put {
		out = append(out, record{put.Key, put.Value, put.Revision})
	}
	for _, key := range f.Delete {
		out = append(out, record{key, nil, f.Revision})
	}
	return out
}

// errTorn is a frame that was not written to its end.
var errTorn = errors.New("a torn frame")

// readFrame reads the next frame: io.EOF at the end, errTorn where the rest of
// the file is less than a frame, KindCorrupt for anything else that is wrong.
func readFrame(r *bufio.Reader) (frame, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return frame{}, errTorn
		}
		return frame{}, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length > maxFrameBytes {
		return frame{}, broken(fmt.Errorf("a frame of %d bytes", length))
	}
	// The length is not to be trusted: read before making room for it.
	payload, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err != nil {
		return frame{}, err
	}
	if len(payload) < int(length) {
		return frame{}, errTorn
	}
	if crc32.Checksum(payload, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return frame{}, broken(errors.New("a checksum that does not agree"))
	}
	var f frame
	if err := json.Unmarshal(payload, &f); err != nil {
		return frame{}, broken(err)
	}
	return f, nil
}

func broken(err error) error {
	return cairn.Errorf(cairn.KindCorrupt, "JOURNAL_BROKEN", "the map journal is broken: %w", err)
}

// journaled is what a journal says.
type journaled struct {
	state    *state
	provenAt time.Time
}

// errForeign is a file that no journal was written to.
var errForeign = cairn.Errorf(cairn.KindCorrupt, "JOURNAL_FOREIGN", "the file is not a map journal; it is left as it is: name another file, or remove it")

// readJournal reads a journal. A torn frame at the end is what a crash leaves
// and ends it. A broken one ends it too, and is told with what was read up to
// there, older but whole; without a whole snapshot, j is nil. An empty file
// has no journal and no error.
func readJournal(r io.Reader) (j *journaled, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	head, err := readFrame(in)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil || head.Journal != journalForm:
		return nil, errForeign
	}
	l := newLoader(0)
	var last time.Time
	for {
		f, err := readFrame(in)
		if err != nil {
			return nil, broken(fmt.Errorf("the snapshot is not whole: %w", err))
		}
		for _, r := range f.records() {
			if err := l.add(r); err != nil {
				return nil, broken(err)
			}
		}
		if f.Complete {
			l.revision, last = f.Revision, time.Unix(0, f.Time)
			break
		}
	}
	state, err := l.finish()
	if err != nil {
		return nil, broken(err)
	}
	j = &journaled{state, last}
	for {
		f, err := readFrame(in)
		if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
			return j, nil
		}
		if err != nil {
			return j, err
		}
		if err := j.advance(f); err != nil {
			return j, err
		}
	}
}

// advance follows one frame after the snapshot. An error leaves the Map before
// it.
func (j *journaled) advance(f frame) error {
	if records := f.records(); len(records) > 0 {
		if f.Revision <= j.state.current.Revision() {
			return broken(fmt.Errorf("revision %d follows revision %d", f.Revision, j.state.current.Revision()))
		}
		if err := j.state.apply(f.Revision, records); err != nil {
			return broken(err)
		}
	}
	if f.Time != 0 {
		j.provenAt = time.Unix(0, f.Time)
	}
	return nil
}
