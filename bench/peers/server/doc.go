// Package server runs a peer's server as a process of its own: in a temporary
// folder, on a free port of the loopback interface, until it is stopped.
package server
