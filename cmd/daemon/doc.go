// Package daemon composes Cairn's servers out of its parts: the router, the
// index of one cluster, and the development stack that runs everything in one
// process. It holds wiring and no decisions; the commands only parse flags
// into its Configs, and tests start the same servers the same way.
//
// Each Run function serves until its context ends, then shuts down in order
// and returns nil within ShutdownTimeout. What keeps a server from starting
// (a directory in use, an address taken, a damaged file) is returned as an
// error that says what to do; what may heal by itself (an etcd that does not
// answer, a Cluster that is not applied yet) is logged and waited for.
//
// # Listeners
//
// Every server has a public listener and, if HTTP is set, an admin listener.
// The public one speaks gRPC: the server's services and grpc.health.v1. The
// admin one speaks HTTP/1.1 for /metrics, /healthz, /readyz and /debug/pprof,
// and on the same port gRPC over cleartext HTTP/2 for the same services with
// server reflection, so that a tool such as grpcurl works there without the
// .proto files, while public clients can't enumerate the API.
//
// A listener off the loopback interface is refused unless Insecure is set:
// there is no transport security yet, so the network has to provide it.
//
// Both listeners are open from the start, so that an address in use is found
// at once. Until a router serves it answers calls with UNAVAILABLE and what it
// waits for. An index makes connections wait instead: its clients send many
// requests on one stream, and could not tell that none was carried out.
//
// # Process settings
//
// The Run functions set GOGC to 400 unless the environment sets it. GOMEMLIMIT
// and GOMAXPROCS are left to the environment and the runtime.
//
// # Signals
//
// The Run functions do not touch signals: the commands wrap their context
// with SignalContext.
package daemon
