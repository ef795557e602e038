package rpcerr

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
)

// The keys of ErrorInfo's metadata.
const (
	metadataKind = "kind"
	metadataOp   = "op"
	metadataKey  = "keyBase64"
	// metadataField repeats the field where no BadRequest says it.
	metadataField = "field"
	// metadataInstead is the address of who would answer.
	metadataInstead = "instead"
)

// ToStatus is err as a gRPC status. A nil error is OK; a status that err
// already carries is passed on; an error that is neither a *cairn.Error nor
// of a context is INTERNAL.
func ToStatus(err error) *status.Status {
	if err == nil {
		return status.New(codes.OK, "")
	}
	if e, ok := errors.AsType[*cairn.Error](err); ok {
		return status.FromProto(ToProto(e))
	}
	if s, ok := status.FromError(err); ok {
		return s
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return status.FromProto(ToProto(&cairn.Error{Kind: cairn.KindDeadline, Reason: reasonOfContext(err), Err: err}))
	}
	return status.FromProto(ToProto(&cairn.Error{Kind: cairn.KindInternal, Reason: "INTERNAL", Err: err}))
}

// ToProto is e as the message in which it travels inside other messages. What
// it repeats of long input is cut.
func ToProto(e *cairn.Error) *statuspb.Status {
	e = bounded(e)
	as := kinds[e.Kind]
	info := &errdetails.ErrorInfo{Reason: text(e.Reason), Domain: Domain, Metadata: map[string]string{metadataKind: as.name}}
	if e.Op != "" {
		info.Metadata[metadataOp] = text(e.Op)
	}
	if e.Key != nil {
		info.Metadata[metadataKey] = base64.StdEncoding.EncodeToString(e.Key)
	}
	if e.Field != "" && e.Kind != cairn.KindInvalid {
		info.Metadata[metadataField] = text(e.Field)
	}
	if e.Instead != "" {
		info.Metadata[metadataInstead] = cut(text(e.Instead), maxField)
	}
	message := cut(text(e.Error()), maxMessage)
	if e.Reason == reasonCancelled {
		as.code = codes.Canceled
	}
	out := &statuspb.Status{Code: int32(as.code), Message: message, Details: pack(nil, info)}
	if e.Field != "" && e.Kind == cairn.KindInvalid {
		out.Details = pack(out.Details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: text(e.Field), Description: strings.TrimPrefix(message, prefix(e)), Reason: text(e.Reason)},
		}})
	}
	if delay := cmp.Or(e.RetryAfter, retryDelay(e.Kind, e.Reason)); delay > 0 {
		out.Details = pack(out.Details, &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	}
	return out
}

// pack adds a detail. Messages of strings and numbers marshal without fail.
func pack(details []*anypb.Any, detail proto.Message) []*anypb.Any {
	packed, err := anypb.New(detail)
	if err != nil {
		return details
	}
	return append(details, packed)
}

// prefix is what e.Error says before the text of e.Err.
func prefix(e *cairn.Error) string {
	bare := *e
	bare.Err = nil
	return strings.TrimSuffix(text(bare.Error()), e.Kind.String())
}

// text is s as a protobuf string may hold it.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// reasonCancelled is of a KindDeadline whose caller went away.
const reasonCancelled = "CANCELLED"

func reasonOfContext(err error) string {
	if errors.Is(err, context.Canceled) {
		return reasonCancelled
	}
	return "DEADLINE_EXCEEDED"
}
