// Package load writes the rows of a file into a keyspace, many batches at a
// time.
//
// Rows are dealt to lanes by their keys, and each lane has one batch under
// way at a time, so that the rows of one key take effect in the order of the
// file although batches overtake each other. A row is a Put: writing it again
// does no harm, which is what makes it safe to repeat a batch whose outcome
// is not known, and a load that was broken off.
//
// A lane whose batch can't be written for now waits and repeats it, until
// Config.Patience is over. A row that is refused is a bad row, as one that
// can't be read is: up to Config.SkipBad of them are skipped, the next one
// ends the load. Everything read before it is written and counted first.
package load
