// Package fleetv1 is the wire between the routers of a fleet: the code that fleet.proto
// generates.
package fleetv1
