// Package postgres is PostgreSQL 15 as a peer: Debian's package, started on a
// data directory of its own and filled with the records of bench/views.
package postgres
