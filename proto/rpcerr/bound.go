package rpcerr

import (
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"cairn"
)

// What an error repeats of its input is bounded: a status travels in the
// trailers of a call, of which clients in many languages take 8 KiB.
const (
	maxMessage = 800
	maxField   = 200
	maxOp      = 100
)

// bounded is e with no more text than a status may have.
func bounded(e *cairn.Error) *cairn.Error {
	out := *e
	out.Field, out.Op = cut(text(e.Field), maxField), cut(text(e.Op), maxOp)
	if len(e.Key) > cairn.MaxKeyLength {
		out.Key = nil
	}
	return &out
}

// cut is s, or its beginning if it has more than most bytes.
func cut(s string, most int) string {
	const more = "..."
	if len(s) <= most {
		return s
	}
	if most < len(more) {
		return ""
	}
	return strings.ToValidUTF8(s[:most-len(more)], "") + more
}

// Shorten brings a status that ToProto made, and that is one of many in a
// message, to about most bytes: it gives up the details that say things twice,
// then the end of the text. Kind, reason and field stay.
func Shorten(s *statuspb.Status, most int) {
	if proto.Size(s) <= most {
		return
	}
	e := FromProto(s)
	info := &errdetails.ErrorInfo{Reason: e.Reason, Domain: Domain, Metadata: map[string]string{metadataKind: kinds[e.Kind].name}}
	if e.Field != "" {
		info.Metadata[metadataField] = e.Field
	}
	s.Details = pack(nil, info)
	if over := proto.Size(s) - most; over > 0 {
		s.Message = cut(s.GetMessage(), max(0, len(s.GetMessage())-over))
	}
}
