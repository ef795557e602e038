// Package redis is Redis 7 as a peer: Debian's package, started without
// persistence, and asked by rueidis, its makers' client that pipelines by itself
// what goroutines ask for at the same time.
package redis
