// Package changelog keeps the recent changes of an index in files, so that a
// watch can go on from before the index was started, and from further back than
// memory reaches.
//
// Changes come in log order from whoever applies the log, which is the record of
// them until a checkpoint covers them: what was not synced before a crash is
// appended again when the log is replayed. So nothing here is on the path of a
// write, and Sync is called once for each checkpoint, before that is durable.
//
// # Files
//
// A directory has segments, named by ascending numbers. A segment begins with
//
//	magic      8 bytes, with the version of the format
//	base       uint64: every change after this log index is here or later
//	through    uint64: how far all before this segment was synced
//	time       int64: of the first record, microseconds since 1970, by the log
//	checksum   uint32, CRC-32C of what precedes it
//
// and goes on with records, each
//
//	length     uint32, of what follows the checksum
//	checksum   uint32, CRC-32C of what follows
//	kind       1 byte
//	keyspace, index, revision   uint64 each
//	time       int64
//	payload    the rest
//
// Numbers are big-endian. A log index never spans two segments. What is damaged
// is given up together with all before it, and who asks for that is told.
package changelog
