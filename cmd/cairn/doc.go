// Command cairn is Cairn's one binary: the servers (router, index, dev), the
// verbs that operators and scripts use, and a guided tour (demo).
//
// Each verb is a file. A verb reads its arguments, asks a router through
// router/client, and hands one document to package render, so that it prints
// the same as a table, as JSON and as YAML. Servers only parse flags into
// the Configs of cmd/daemon.
//
// # Exit codes
//
//	0  done
//	1  failed
//	2  the command line is wrong, or asks for what can't be
//	3  the present state does not allow it: a condition that does not hold,
//	   a resource in use, a plan overtaken by another change
//	4  something that was named is not there; what was found is printed
//	5  unavailable: nobody answers, or not in time; it may work later
//
// diff has its own: 0 for no difference, 1 for some, 2 for an error.
//
// Results go to standard output. Errors, progress and notes go to standard
// error, an error with what was wrong, where, and what to do.
package main
