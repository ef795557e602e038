// Package redis is Redis 7 as a peer: Debian's package, started without
// persistence, and asked by rueidis, its makers' client that pipelines by itself
// what goroutines ask for at the same time. It has strings for locates, and sorted
// sets for views.
package redis
