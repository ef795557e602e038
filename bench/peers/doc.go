// Command peers measures Cairn beside systems that answer the same questions
// from the same entries, in one run on one machine:
//
//	go run -C bench/peers . locates  keys to nodes, beside Redis 7, PostgreSQL 15, etcd 3.7 and SQLite
//	go run -C bench/peers . ycsb     YCSB's core workloads, beside PostgreSQL 15, etcd and SQLite
//	go run -C bench/peers . views    questions about views, beside PostgreSQL 15, Redis 7 and SQLite
//	go run -C bench/peers . all      all of these
//
// Redis and PostgreSQL are those of Debian's packages redis-server and
// postgresql-15; one that is not installed is left out, and the record says so.
// Each is started here, on loopback with data of its own, set up as its
// documentation advises for speed (the record shows how), and asked over TCP in
// the ways that are the fastest we know. Before anything is measured both sides
// are asked the same questions, and have to give the same answers.
//
// SQLite is no server: it answers in this process, without the way to another
// one that all others have, Cairn's indexes too. Its figures are there to be known,
// and there is no goal for a ratio to them. A C compiler builds it; without one
// this command has none, and the record says so.
//
// Cairn's indexes are processes of their own. Its router is in this process, or
// in one of its own where a name says so.
//
// It is a module of its own, so that nobody who imports Cairn gets the drivers.
package main
