// Package etcdtest runs a real etcd server inside a test: one member, on
// loopback, on free ports, in the test's temporary directory. The test binary
// that uses it links the etcd server; nothing else may.
package etcdtest
