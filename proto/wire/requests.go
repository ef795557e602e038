package wire

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// Freshness is a freshness as a message, nil for eventual.
func Freshness(f cairn.Freshness) *cairnv1.Freshness {
	if f.Level == cairn.AtLeast {
		return FreshnessOf(f.Level, f.Token.String())
	}
	return FreshnessOf(f.Level, "")
}

// FreshnessOf is Freshness where the token, of cairn.AtLeast, is text already.
func FreshnessOf(level cairn.Level, token string) *cairnv1.Freshness {
	switch level {
	case cairn.AtLeast:
		return &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: token}}
	case cairn.Linearizable:
		return &cairnv1.Freshness{Level: &cairnv1.Freshness_Linearizable_{Linearizable: &cairnv1.Freshness_Linearizable{}}}
	}
	return nil
}

// FromFreshness is a message as a freshness. It refuses a token that is none,
// with the field "freshness.at_least".
func FromFreshness(f *cairnv1.Freshness) (cairn.Freshness, error) {
	switch level := f.GetLevel().(type) {
	case *cairnv1.Freshness_AtLeast:
		token, err := FromToken("freshness.at_least", level.AtLeast)
		return cairn.Freshness{Level: cairn.AtLeast, Token: token}, err
	case *cairnv1.Freshness_Linearizable_:
		return cairn.Freshness{Level: cairn.Linearizable}, nil
	}
	return cairn.Freshness{}, nil
}

// FromToken reads the token in a field.
func FromToken(field, text string) (cairn.Token, error) {
	token, err := cairn.ParseToken(text)
	if err != nil {
		return cairn.Token{}, cairn.Invalid(field, cairn.ReasonOf(err), "not a token of this service; pass tokens on as they came")
	}
	return token, nil
}

// Condition is a condition as a message, nil for none.
func Condition(c cairn.Condition) *cairnv1.Condition {
	switch {
	case !c.Present:
		return nil
	case c.Version.IsZero():
		return &cairnv1.Condition{Condition: &cairnv1.Condition_IfAbsent{IfAbsent: true}}
	}
	return &cairnv1.Condition{Condition: &cairnv1.Condition_IfVersion{IfVersion: Version(c.Version)}}
}

// FromCondition is a message as a condition. It refuses if_absent false, which
// could be meant for "if present" or for nothing.
func FromCondition(c *cairnv1.Condition) (cairn.Condition, error) {
	switch condition := c.GetCondition().(type) {
	case *cairnv1.Condition_IfAbsent:
		if !condition.IfAbsent {
			return cairn.Condition{}, cairn.Invalid("condition.if_absent", "CONDITION_FALSE", "if_absent is true or left out")
		}
		return cairn.Condition{Present: true}, nil
	case *cairnv1.Condition_IfVersion:
		return cairn.Condition{Present: true, Version: FromVersion(condition.IfVersion)}, nil
	}
	return cairn.Condition{}, nil
}

// RequestID is a request's id as a message, nil for none.
func RequestID(r cairn.RequestID) *cairnv1.RequestId {
	if r.IsZero() {
		return nil
	}
	return &cairnv1.RequestId{Id: r.ID[:], IssueTime: timestamppb.New(r.Issued)}
}

// FromRequestID is a message as a request's id. It refuses an id that is not
// 16 bytes or all zeros, and a time that is missing or none, with the field
// "request_id.id" or "request_id.issue_time".
func FromRequestID(r *cairnv1.RequestId) (cairn.RequestID, error) {
	if r == nil {
		return cairn.RequestID{}, nil
	}
	var out cairn.RequestID
	if copy(out.ID[:], r.GetId()); len(r.GetId()) != len(out.ID) {
		return cairn.RequestID{}, cairn.Invalid("request_id.id", "REQUEST_ID_LENGTH", "an id of %d bytes; one has %d", len(r.GetId()), len(out.ID))
	}
	if out.IsZero() {
		return cairn.RequestID{}, cairn.Invalid("request_id.id", "REQUEST_ID_ZERO", "an id of zeros, which others may have too")
	}
	if r.GetIssueTime() == nil || !r.GetIssueTime().IsValid() {
		return cairn.RequestID{}, cairn.Invalid("request_id.issue_time", "ISSUE_TIME_MISSING", "say when the request was first made, by a time of the years 1 to 9999")
	}
	out.Issued = r.GetIssueTime().AsTime()
	return out, nil
}

// Put is a write that puts or merges, as a message.
func Put(w *cairn.Write) *cairnv1.Put {
	return &cairnv1.Put{
		Key: w.Key, Node: w.Node, Replicas: w.Replicas,
		Attributes: Values(w.Attributes), Merge: w.Operation == cairn.Merge,
	}
}

// FromPut is a message as a write. It refuses what FromValues and
// FromCondition refuse.
func FromPut(put *cairnv1.Put, condition *cairnv1.Condition) (cairn.Write, error) {
	w := cairn.Write{Operation: cairn.Put, Key: put.GetKey(), Node: put.GetNode(), Replicas: put.GetReplicas()}
	if put.GetMerge() {
		w.Operation = cairn.Merge
	}
	var err error
	if w.Attributes, err = FromValues(put.GetAttributes()); err != nil {
		return w, err
	}
	w.Condition, err = FromCondition(condition)
	return w, err
}

// Write is a write as a message.
func Write(w *cairn.Write) *cairnv1.Write {
	out := &cairnv1.Write{Condition: Condition(w.Condition)}
	if w.Operation == cairn.Delete {
		out.Operation = &cairnv1.Write_Delete{Delete: w.Key}
	} else {
		out.Operation = &cairnv1.Write_Put{Put: Put(w)}
	}
	return out
}

// FromWrite is a message as a write. It refuses one without an operation, and
// what FromPut refuses.
func FromWrite(w *cairnv1.Write) (cairn.Write, error) {
	switch operation := w.GetOperation().(type) {
	case *cairnv1.Write_Put:
		return FromPut(operation.Put, w.GetCondition())
	case *cairnv1.Write_Delete:
		condition, err := FromCondition(w.GetCondition())
		return cairn.Write{Operation: cairn.Delete, Key: operation.Delete, Condition: condition}, err
	}
	return cairn.Write{}, cairn.Invalid("operation", "OPERATION_MISSING", "a write without an operation; put or delete")
}
