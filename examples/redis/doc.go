// Command redis-mover moves values between Redis servers when Cairn moves a shard: a
// keyspace names it by its address (`mover: 127.0.0.1:7733`), and the nodes of its
// clusters are Redis servers. See README.md.
package main
