// Command peers measures Cairn beside systems that answer the same questions
// from the same records, in one run on one machine:
//
//	go run -C bench/peers . views    questions about views, beside PostgreSQL 15
//
// PostgreSQL is that of Debian's package postgresql-15. It is started here, on
// a data directory of its own, tuned for reads, with the best indexes that we
// know for each question (see postgres/schema.go), and asked over TCP on
// loopback through prepared statements by as many connections as there are
// callers. Cairn's router is in this process, its indexes in two others. Before
// anything is measured both are asked the same questions, and have to give the
// same answers.
//
// It is a module of its own, so that nobody who imports Cairn gets the drivers.
package main
