// Package floor is what the machine and the libraries give before Cairn does
// anything: gRPC servers that send each message back, alone or behind a proxy
// that only passes it on; bbolt's own random read, a Go map's, and what Roaring bitmaps
// take to be intersected.
//
// The echoes carry the very request messages that the public API carries, so
// that a ratio to them is the price of what Cairn does with a request, not of
// how it is spelled. Servers and clients have gRPC's default options.
package floor
