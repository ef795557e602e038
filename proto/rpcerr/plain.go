package rpcerr

import (
	"strconv"
	"strings"
)

// plain is a message of gRPC's without the names of gRPC's own layers: of
//
//	connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"
//
// what comes after dialing. Every other message is as it was.
func plain(message string) string {
	before, rest, found := strings.Cut(message, "connection error: desc = ")
	if !found {
		return message
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return message
	}
	cause, err := strconv.Unquote(quoted)
	if err != nil {
		return message
	}
	for _, layer := range []string{"transport: ", "Error while dialing: "} {
		cause = strings.TrimPrefix(cause, layer)
	}
	for _, layer := range []string{"last connection error: ", "latest balancer error: "} {
		before = strings.TrimSuffix(before, layer)
	}
	return before + cause + rest[len(quoted):]
}
