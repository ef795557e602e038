// Package fleet joins routers that share their questions about views: each has some
// that it answers for all, so that an index is asked once for the whole fleet. A
// Fleet is one router's side of the others:
//
//	others := fleet.New(fleet.Options{})
//	r, err := router.New(router.Config{Fleet: others.Owner, ...})
//	fleet.NewServer(r, log).Register(grpcServer)
//	others.Set(itsAddress, addressesOfAll)
//
// Which router a question belongs to is decided by package rendezvous, over the members
// that Set names; that two routers know different ones costs no more than an answer that
// is made twice.
//
// An owner that is at it says so every now and then: one that is silent is lost, however
// long the index takes, and is not asked for a moment. Its part is then the index's, as
// is whatever goes wrong here.
//
// Caveats: the service has no transport security and trusts who calls it, as the private
// API of indexes does; it is for a listener that only routers reach.
package fleet
