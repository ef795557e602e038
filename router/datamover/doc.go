// Package datamover is the client of data movers: of whoever moves the data behind the
// entries of a keyspace, by the contract cairn.mover.v1.DataMover. The driver of
// router/move calls it.
package datamover
