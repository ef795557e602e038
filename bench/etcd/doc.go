// Package etcd runs real etcd beside Cairn, for workloads that both can do: as
// processes of their own on loopback, each with a data folder on the same disk,
// with its defaults, syncs included.
package etcd
