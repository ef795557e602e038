package rpcerr

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
)

// FromError is err as a *cairn.Error: the one in its chain, the one that a
// gRPC status carries, KindDeadline for a context's error, and KindInternal
// for everything else. It is nil for nil.
func FromError(err error) *cairn.Error { return From("", err) }

// From is FromError for a call to a server at target, which the message names
// where the server could not be reached. It is [syscall.ECONNREFUSED] if nobody
// listens there.
func From(target string, err error) *cairn.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*cairn.Error](err); ok {
		return e
	}
	if s, ok := status.FromError(err); ok {
		return fromProto(target, s.Proto())
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &cairn.Error{Kind: cairn.KindDeadline, Reason: reasonOfContext(err), Err: err}
	}
	return &cairn.Error{Kind: cairn.KindInternal, Reason: "INTERNAL", Err: err}
}

// IsAnswer tells whether err is a status that a server of Cairn's has written,
// so that its kind is to be believed. It is false for what gRPC, or something
// between client and server, has raised.
func IsAnswer(err error) bool {
	s, ok := status.FromError(err)
	if !ok {
		return false
	}
	info, _ := details(s.Proto())
	return info != nil
}

// FromProto is what ToProto wrote. It is nil for nil and for an OK status.
func FromProto(s *statuspb.Status) *cairn.Error { return fromProto("", s) }

func fromProto(target string, s *statuspb.Status) *cairn.Error {
	if s == nil || codes.Code(s.GetCode()) == codes.OK {
		return nil
	}
	info, violation := details(s)
	if info == nil {
		return fromForeign(target, s)
	}
	return fromOurs(s, info, violation)
}

// fromOurs is an error that Cairn has raised.
func fromOurs(s *statuspb.Status, info *errdetails.ErrorInfo, violation *errdetails.BadRequest_FieldViolation) *cairn.Error {
	e := &cairn.Error{Reason: info.GetReason(), Op: info.GetMetadata()[metadataOp], Field: info.GetMetadata()[metadataField], Instead: info.GetMetadata()[metadataInstead]}
	kind, known := kindByName[info.GetMetadata()[metadataKind]]
	if !known {
		kind = kindByCode[codes.Code(s.GetCode())]
	}
	e.Kind = kind
	if encoded, has := info.GetMetadata()[metadataKey]; has {
		if key, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			e.Key = key
		}
	}
	if violation != nil {
		e.Field = violation.GetField()
	}
	if after := retryIn(s); after != retryDelay(e.Kind, e.Reason) {
		e.RetryAfter = after
	}
	if rest := strings.TrimPrefix(s.GetMessage(), prefix(e)); rest != e.Kind.String() {
		e.Err = errors.New(rest)
	}
	return e
}

// details are those that ToProto packs, nil where there are none.
func details(s *statuspb.Status) (info *errdetails.ErrorInfo, violation *errdetails.BadRequest_FieldViolation) {
	for _, packed := range s.GetDetails() {
		detail, err := packed.UnmarshalNew()
		if err != nil {
			continue
		}
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == Domain {
				info = detail
			}
		case *errdetails.BadRequest:
			if violations := detail.GetFieldViolations(); len(violations) > 0 {
				violation = violations[0]
			}
		}
	}
	return info, violation
}

// retryIn is the delay of a status's RetryInfo, 0 if it has none.
func retryIn(s *statuspb.Status) time.Duration {
	for _, packed := range s.GetDetails() {
		retry := new(errdetails.RetryInfo)
		if packed.MessageIs(retry) && packed.UnmarshalTo(retry) == nil {
			return retry.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// fromForeign is an error that Cairn has not raised: gRPC itself, or a proxy.
func fromForeign(target string, s *statuspb.Status) *cairn.Error {
	code := codes.Code(s.GetCode())
	e := &cairn.Error{Kind: kindByCode[code], Reason: foreignReason(code)}
	message := plain(s.GetMessage())
	switch {
	case e.Kind == cairn.KindUnavailable && target != "":
		e.Err = fmt.Errorf("can't reach the server at %s: %w", target, refused(message))
	case e.Kind == cairn.KindUnavailable:
		e.Err = fmt.Errorf("can't reach the server: %w", refused(message))
	case target != "":
		e.Err = fmt.Errorf("server at %s: %s", target, message)
	default:
		e.Err = errors.New(message)
	}
	return e
}

// refused is a message as an error, which is [syscall.ECONNREFUSED] where nobody
// listens at the other end.
func refused(message string) error {
	if before, found := strings.CutSuffix(message, syscall.ECONNREFUSED.Error()); found {
		return fmt.Errorf("%s%w", before, syscall.ECONNREFUSED)
	}
	return errors.New(message)
}

// foreignReason is a stable reason for a code that came without one.
func foreignReason(code codes.Code) string {
	switch code {
	case codes.Unavailable:
		return "UNREACHABLE"
	case codes.Canceled:
		return reasonCancelled
	case codes.DeadlineExceeded:
		return "DEADLINE_EXCEEDED"
	case codes.ResourceExhausted:
		// gRPC says so of a message over the limit.
		return "MESSAGE_TOO_LARGE"
	case codes.Unimplemented:
		return "METHOD_UNKNOWN"
	}
	return "RPC_FAILED"
}
