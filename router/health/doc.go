// Package health finds out which database nodes do not answer, where their cluster
// asks for it (`health: tcp` or `health: grpc`).
//
// Every router checks every such node, and every node index those of its cluster: what
// counts is who can be reached from here. A node that failed three checks in a row is
// taken for down until it passed two: readers are sent to an entry's other nodes, and
// new keys do not get it. Where more than half of a cluster's nodes fail, the fault is
// taken for one of this process or its network, and all are taken for up.
package health
