package router

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"cairn"
	"cairn/router/collapse"
)

// questionID tells questions to indexes apart: all that decides the answer, but for
// how fresh it is, in one form.
type questionID string

// longestQuestion bounds what is kept of a question that is under way; a longer one
// goes alone.
const longestQuestion = 4 << 10

// viewFlights are the questions about views that are being asked.
type viewFlights = collapse.Group[questionID, *cairn.ViewReply]

// askView puts a question to a cluster's index, or waits for the answer to the same
// question if that is being asked as freshly. The reply may be others' too: it must
// not be changed. It fails as Index.AskView does.
func (r *Router) askView(ctx context.Context, cluster cairn.UID, index Index, asked *cairn.ViewRequest) (reply *cairn.ViewReply, joined bool, err error) {
	id := identify(cluster, asked)
	if len(id) > longestQuestion {
		reply, err = index.AskView(ctx, asked)
		return reply, false, err
	}
	need := collapse.Need{Epoch: asked.Epoch, Index: asked.Index, Latest: asked.Level == cairn.Linearizable}
	// It may go on when the first caller has left, with whatever was his.
	request := *asked
	request.Key = slices.Clone(asked.Key)
	return r.viewFlights.Do(ctx, id, need, func(ctx context.Context) (*cairn.ViewReply, error) {
		return index.AskView(ctx, &request)
	})
}

// nowOf is what a condition means by now, a time in microseconds: nothing where it
// does not say now, so that the question is the same a moment later.
func nowOf(where string, micros int64) int64 {
	if !strings.Contains(where, "now") {
		return 0
	}
	return micros
}

var identifying = sync.Pool{New: func() any { return new([]byte) }}

// identify is a question's identity.
func identify(cluster cairn.UID, asked *cairn.ViewRequest) questionID {
	buffer := identifying.Get().(*[]byte)
	defer identifying.Put(buffer)
	out := (*buffer)[:0]
	numbers := [...]uint64{
		uint64(cluster), uint64(asked.Keyspace), uint64(asked.Level), uint64(asked.View), asked.Version, uint64(asked.Now),
		uint64(asked.Asked), uint64(asked.Offset), uint64(asked.Limit), bit(asked.WithPlan), bit(asked.After != nil),
	}
	for _, number := range numbers {
		out = binary.BigEndian.AppendUint64(out, number)
	}
	out = appendText(out, asked.Where)
	out = appendText(out, string(asked.Key))
	out = binary.BigEndian.AppendUint64(out, uint64(len(asked.OrderBy)))
	for _, field := range asked.OrderBy {
		out = binary.BigEndian.AppendUint64(out, uint64(field.Attribute)<<1|bit(field.Descending))
	}
	for _, attributes := range [...][]cairn.AttributeID{asked.Fields, asked.Attributes} {
		out = binary.BigEndian.AppendUint64(out, uint64(len(attributes)))
		for _, attribute := range attributes {
			out = binary.BigEndian.AppendUint64(out, uint64(attribute))
		}
	}
	if asked.After != nil {
		out = appendText(out, string(asked.After.Key))
		for _, value := range asked.After.Values {
			out = append(out, byte(value.Type()))
			out = binary.BigEndian.AppendUint64(out, uint64(value.Int()))
			out = appendText(out, value.Text())
		}
	}
	*buffer = out
	return questionID(out)
}

// appendText appends a text with its length before it, so that none runs into the
// next.
func appendText(out []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint64(out, uint64(len(text))), text...)
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
