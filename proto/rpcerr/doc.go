// Package rpcerr carries *cairn.Error over gRPC and back.
//
// ToStatus and ToProto write an error as a google.rpc.Status: a code for
// clients that look no further, the whole message as a person reads it, and
// details for those that do: ErrorInfo with the stable reason, the domain
// "cairn" and, in its metadata, the kind, the operation, the key (base64) and who
// would answer instead;
// BadRequest with the field where input is invalid; RetryInfo where trying
// again after a moment may help.
//
// FromError, From and FromProto read it back. Op, Kind, Reason, Field, Key,
// Instead, RetryAfter and the text survive the way unchanged; the chain below the text does not.
//
// What comes from gRPC itself has no details: a server that can't be reached
// becomes KindUnavailable, a deadline or a cancelled call KindDeadline.
// IsAnswer tells the two apart.
package rpcerr
