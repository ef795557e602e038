package rpcerr

import (
	"time"

	"google.golang.org/grpc/codes"

	"cairn"
)

// Domain is the ErrorInfo domain of every error that Cairn raises.
const Domain = "cairn"

// kinds is how each kind travels. The name tells kinds apart that share a
// code, and is as stable as the reasons are.
var kinds = map[cairn.Kind]struct {
	name string
	code codes.Code
}{
	cairn.KindInternal:      {"INTERNAL", codes.Internal},
	cairn.KindInvalid:       {"INVALID", codes.InvalidArgument},
	cairn.KindNotFound:      {"NOT_FOUND", codes.NotFound},
	cairn.KindPrecondition:  {"PRECONDITION", codes.FailedPrecondition},
	cairn.KindConflict:      {"CONFLICT", codes.Aborted},
	cairn.KindStale:         {"STALE", codes.FailedPrecondition},
	cairn.KindNotYet:        {"NOT_YET", codes.Unavailable},
	cairn.KindCompacted:     {"COMPACTED", codes.OutOfRange},
	cairn.KindExhausted:     {"EXHAUSTED", codes.ResourceExhausted},
	cairn.KindUnavailable:   {"UNAVAILABLE", codes.Unavailable},
	cairn.KindUnknown:       {"OUTCOME_UNKNOWN", codes.Unavailable},
	cairn.KindDeadline:      {"DEADLINE", codes.DeadlineExceeded},
	cairn.KindCorrupt:       {"CORRUPT", codes.DataLoss},
	cairn.KindUnimplemented: {"UNIMPLEMENTED", codes.Unimplemented},
}

// kindByName reads what ToProto writes into the metadata.
var kindByName = func() map[string]cairn.Kind {
	byName := make(map[string]cairn.Kind, len(kinds))
	for kind, as := range kinds {
		byName[as.name] = kind
	}
	return byName
}()

// kindByCode is the kind of an error without our details: one that gRPC or
// something between client and server has raised.
var kindByCode = map[codes.Code]cairn.Kind{
	codes.InvalidArgument:    cairn.KindInvalid,
	codes.NotFound:           cairn.KindNotFound,
	codes.FailedPrecondition: cairn.KindPrecondition,
	codes.AlreadyExists:      cairn.KindPrecondition,
	codes.Aborted:            cairn.KindConflict,
	codes.OutOfRange:         cairn.KindCompacted,
	codes.ResourceExhausted:  cairn.KindExhausted,
	codes.Unavailable:        cairn.KindUnavailable,
	codes.DeadlineExceeded:   cairn.KindDeadline,
	codes.Canceled:           cairn.KindDeadline,
	codes.DataLoss:           cairn.KindCorrupt,
	codes.Unimplemented:      cairn.KindUnimplemented,
}

// retryDelay is how long a client should wait before it tries again; 0 where
// trying again by itself does not help. A write of unknown outcome is not to
// be repeated blindly, so it has none.
func retryDelay(kind cairn.Kind, reason string) time.Duration {
	switch {
	case kind == cairn.KindNotYet:
		return 20 * time.Millisecond
	case kind == cairn.KindUnavailable:
		return 100 * time.Millisecond
	case kind == cairn.KindExhausted && reason == "DISK_FULL":
		return time.Second
	}
	return 0
}
