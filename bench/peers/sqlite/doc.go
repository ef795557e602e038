// Package sqlite is SQLite as a peer: a library over a file in a temporary
// folder, which answers in the caller's process. What is asked of it makes no
// way over a network, as what is asked of the others does, so that its figures
// say what such a way costs.
//
// It is built by a C compiler; a program that was built without one has none.
package sqlite
