package router

import (
	"context"
	"encoding/binary"
	"strings"

	"cairn"
	"cairn/router/collapse"
)

// questionID tells questions to indexes apart: all that decides the answer, but for
// how fresh it is, in one form. It is the same in all processes.
type questionID string

// longestQuestion bounds what is kept of a question that is under way; a longer one
// goes alone.
const longestQuestion = 4 << 10

// asked is a part with its question's identity.
type asked struct {
	*Part
	id questionID
}

// flightID is what questions have in common that may be asked as one: one that waits
// for a log is not what one that takes any state waits for.
type flightID struct {
	question questionID
	level    cairn.Level
}

// heard is an answer, and where it came from.
type heard struct {
	reply *cairn.ViewReply
	from  Source
}

// viewFlights are the questions about views that indexes are being asked.
type viewFlights = collapse.Group[flightID, heard]

// viewFlight is a question that is under way.
type viewFlight interface {
	// Land is collapse.Seat's.
	Land(context.Context) (answer heard, joined, again bool, err error)
}

// keptFlight is an answer that is at hand.
type keptFlight struct{ reply *cairn.ViewReply }

func (k keptFlight) Land(context.Context) (answer heard, joined, again bool, err error) {
	return heard{k.reply, SourceKept}, false, false, nil
}

// askPart has a part answered: out of what is kept, by the router of the fleet that it
// belongs to, unless alone is set, or by the index. The reply may be others' too: it must
// not be changed. It fails as Index.AskView does.
func (r *Router) askPart(ctx context.Context, index Index, part asked, alone bool) (heard, error) {
	for {
		flight := r.boardPart(ctx, index, part, alone, nil)
		if flight == nil {
			reply, err := index.AskView(ctx, &part.ViewRequest)
			return heard{reply, SourceIndex}, err
		}
		if answer, again, err := land(ctx, flight); !again {
			return answer, err
		}
	}
}

// boardPart is askPart without waiting: land does that, when ring has been called or
// before. It is nil where the question is too long to be told from others, or there are too
// many.
func (r *Router) boardPart(ctx context.Context, index Index, part asked, alone bool, ring func()) viewFlight {
	if reply := r.kept.answer(part); reply != nil {
		if ring != nil {
			ring()
		}
		return keptFlight{reply}
	}
	if len(part.id) > longestQuestion {
		return nil
	}
	if !alone {
		if owner := r.ownerOf(part); owner != nil {
			if flight := r.boardFleet(ctx, owner, index, part, ring); flight != nil {
				return flight
			}
		}
	}
	return r.boardIndex(ctx, index, part, ring)
}

// land waits for the answer to a question, which is to be asked again if again is set.
func land(ctx context.Context, flight viewFlight) (answer heard, again bool, err error) {
	answer, joined, again, err := flight.Land(ctx)
	if joined {
		answer.from = SourceJoined
	}
	return answer, again, err
}

// boardIndex puts a part to its cluster's index, or joins the same question if that is
// being asked as freshly. What answers a pinned part is kept before anybody else may
// ask for it.
func (r *Router) boardIndex(ctx context.Context, index Index, part asked, ring func()) viewFlight {
	seat := r.viewFlights.Board(ctx, part.flight(), part.need(), func(ctx context.Context) (heard, error) {
		if reply := r.kept.answer(part); reply != nil {
			return heard{reply, SourceKept}, nil // since it was looked for
		}
		reply, err := index.AskView(ctx, &part.ViewRequest)
		if err == nil {
			r.kept.keep(part, reply)
		}
		return heard{reply, SourceIndex}, err
	}, ring)
	if seat.Alone() {
		return nil
	}
	return &seat
}

func (a asked) flight() flightID { return flightID{a.id, a.Level} }

func (a asked) need() collapse.Need {
	return collapse.Need{Epoch: a.Epoch, Index: a.Index, Latest: a.Level == cairn.Linearizable}
}

// nowOf is what a condition means by now, a time in microseconds: nothing where it
// does not say now, so that the question is the same a moment later.
func nowOf(where string, micros int64) int64 {
	if !strings.Contains(where, "now") {
		return 0
	}
	return micros
}

// identify is a question's identity.
func identify(cluster cairn.UID, asked *cairn.ViewRequest) questionID {
	var room [256]byte // enough for most
	out := room[:0]
	numbers := [...]uint64{
		uint64(cluster), uint64(asked.Keyspace), uint64(asked.View), asked.Version, uint64(asked.Now),
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
