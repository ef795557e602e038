package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cairn"
)

// The exit codes; see the package's documentation.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitPrecondition
	exitNotFound
	exitUnavailable
)

// exit ends a verb with a code when what there is to say has been printed.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// inInput marks an error as one of a file's content: it is the command that
// failed then, not the command line that was wrong.
type inInput struct{ error }

func (e inInput) Unwrap() error { return e.error }

// usageError marks an error of the command line that only its verb could see.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// report prints err, if any, and chooses the exit code.
func report(stderr io.Writer, cmd *cobra.Command, o *options, err error) int {
	if err == nil {
		return exitOK
	}
	if silent, ok := errors.AsType[exit](err); ok {
		return silent.code
	}
	if !o.begun {
		err = plainError(cmd, err)
	}
	fmt.Fprintf(stderr, "%s: %v\n", cmd.CommandPath(), err)
	code := codeOf(err)
	if _, ok := errors.AsType[usageError](err); ok || !o.begun {
		fmt.Fprintf(stderr, "  '%s --help' tells how it is used\n", cmd.CommandPath())
		code = exitUsage
	} else if advice := o.adviceOn(err); advice != "" {
		fmt.Fprintf(stderr, "  %s\n", advice)
	}
	if differs(cmd) {
		return exitUsage
	}
	return code
}

// codeOf is the exit code of an error after the command line was understood.
func codeOf(err error) int {
	if _, ok := errors.AsType[*cairn.Error](err); !ok {
		return exitFailed
	}
	switch cairn.KindOf(err) {
	case cairn.KindInvalid:
		if _, ok := errors.AsType[inInput](err); ok {
			return exitFailed
		}
		return exitUsage
	case cairn.KindPrecondition, cairn.KindConflict:
		return exitPrecondition
	case cairn.KindNotFound:
		return exitNotFound
	case cairn.KindUnavailable, cairn.KindUnknown, cairn.KindDeadline, cairn.KindNotYet, cairn.KindStale:
		return exitUnavailable
	}
	return exitFailed
}

// adviceOn says what to do about an error whose message can't: what the
// message comes from does not know that it is a command line that asks.
func (o *options) adviceOn(err error) string {
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok {
		return ""
	}
	switch e.Reason {
	case "KEYSPACE_NOT_FOUND":
		return "'cairn get keyspaces' lists those that there are"
	case "CLUSTER_NOT_FOUND":
		return "'cairn get clusters' lists those that there are"
	case "VIEW_NOT_FOUND":
		return "'cairn get views' lists those that there are"
	case "VIEW_BUILDING":
		return "'cairn get views' tells how far it is"
	case "SHARD_NOT_FOUND":
		return "'cairn shards KEYSPACE' lists those that there are"
	case "OUTCOME_UNKNOWN":
		return "'cairn locate' tells what is there; without a condition it may be repeated"
	case "PLAN_CHANGED":
		return "look again with 'cairn diff'"
	case "KEY_EXISTS":
		return "leave out --if-absent to replace its attributes"
	case "KEY_ABSENT", "VERSION_MISMATCH":
		return "'cairn locate KEYSPACE KEY -o json' has the present version"
	case "NODE_UNKNOWN", "NODE_DRAINING", "NODE_DOWN", "NO_ACTIVE_NODE":
		return "'cairn get cluster NAME' lists its nodes and their states"
	case "SPLIT_AT_MISSING":
		return "--at KEY says where"
	case "CHECK_FAILED_IMAGE":
		return "the entries are not concerned: the index makes views anew where an image is damaged, which takes a start longer; the file can be removed"
	case "STAMP_COMPACTED":
		return "'cairn export' has the present state; without --from a watch begins now"
	case "METRICS_UNREACHABLE":
		return "an ADDRESS is what a server was started with as --http"
	case "UNREACHABLE":
		if !strings.Contains(e.Error(), o.addr) {
			return "that is the index of a cluster: start it; 'cairn get clusters' has its address"
		}
		if text := e.Error(); strings.Contains(text, "error reading server preface") || strings.Contains(text, "tls: ") {
			return "where routers take TLS, --tls-cert, --tls-key and --tls-ca say by which certificate to ask"
		}
		return "'cairn dev --data DIR' starts a stack here; --addr names a router elsewhere"
	}
	switch e.Kind {
	case cairn.KindDeadline:
		return "it may work with more time: --timeout 1m"
	case cairn.KindCorrupt:
		return "nothing was changed; keep the directory, and start from a copy or import anew"
	case cairn.KindConflict:
		return "something else changed it meanwhile: look again and repeat"
	}
	return ""
}

// differs reports whether cmd is diff, whose exit codes are those of diff(1).
func differs(cmd *cobra.Command) bool { return cmd.Name() == "diff" && !cmd.Parent().HasParent() }
