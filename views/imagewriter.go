package views

import (
	"encoding/binary"
	"io"
)

// imageWriter writes frames. After an error of what it writes to it does
// nothing; the error is in err.
type imageWriter struct {
	out     io.Writer
	frame   []byte // room for the header, then the payload
	section section
	sum     uint32
	err     error
}

func newImageWriter(out io.Writer) *imageWriter {
	w := &imageWriter{out: out, frame: make([]byte, frameHeader, frameHeader+frameSize)}
	_, w.err = io.WriteString(out, imageMagic)
	return w
}

// begin begins a section.
func (w *imageWriter) begin(s section) { w.section = s }

// end ends the section.
func (w *imageWriter) end() {
	w.section |= lastFrame
	w.flush()
}

func (w *imageWriter) flush() {
	payload := w.frame[frameHeader:]
	header := w.frame[:frameHeader]
	header[0] = byte(w.section)
	binary.LittleEndian.PutUint32(header[1:], uint32(len(payload)))
	w.sum = frameSum(w.sum, header[:5], payload)
	binary.LittleEndian.PutUint32(header[5:], w.sum)
	if w.err == nil {
		_, w.err = w.out.Write(w.frame)
	}
	w.frame = w.frame[:frameHeader]
}

// record is where to append a record of up to so many bytes; set takes it.
func (w *imageWriter) record(size int) []byte {
	if len(w.frame)+size > frameHeader+frameSize {
		w.flush()
	}
	return w.frame
}

func (w *imageWriter) set(frame []byte) { w.frame = frame }

func (w *imageWriter) uvarint(number uint64) {
	w.set(binary.AppendUvarint(w.record(binary.MaxVarintLen64), number))
}

// Write writes bytes that are no record: they lie in as many frames as need
// be.
func (w *imageWriter) Write(data []byte) (int, error) {
	for left := data; len(left) > 0 && w.err == nil; {
		if len(w.frame) == frameHeader+frameSize {
			w.flush()
		}
		n := min(len(left), frameHeader+frameSize-len(w.frame))
		w.frame = append(w.frame, left[:n]...)
		left = left[n:]
	}
	return len(data), w.err
}
