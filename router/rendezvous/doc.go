// Package rendezvous says which of several members a thing belongs to, so that all
// who know the same members agree without asking each other:
//
//	members := rendezvous.Of([]string{"10.0.0.1:7602", "10.0.0.2:7602"})
//	owner := members.Owner(thing)
//
// It is highest random weight (Thaler and Ravishankar, "Using name-based mappings to
// increase hit rates", 1998): each member has a score for each thing, and the highest
// has it. Things are spread evenly, and a member that comes or goes moves only what is
// its own. What it says is the same in all processes and versions.
//
// Caveats: an owner is found in as many steps as there are members, which suits tens of
// them. Members are alike; what is asked for very often loads its owner alone.
package rendezvous
