package indexv1

import "cairn"

// Fill sets what a request needs of the replica that answers it, but for its time.
func (x *Read) Fill(read cairn.Read) {
	x.Keyspace, x.Epoch, x.Index = uint64(read.Keyspace), read.Epoch, read.Index
	switch read.Level {
	case cairn.AtLeast:
		x.Level = Level_LEVEL_AT_LEAST
	case cairn.Linearizable:
		x.Level = Level_LEVEL_LINEARIZABLE
	default:
		x.Level = Level_LEVEL_EVENTUAL
	}
}

// Decode reads what Fill has set. KindInvalid for a level that this version does not
// know.
func (x *Read) Decode() (cairn.Read, error) {
	read := cairn.Read{Keyspace: cairn.UID(x.GetKeyspace()), Epoch: x.GetEpoch(), Index: x.GetIndex()}
	switch x.GetLevel() {
	case Level_LEVEL_UNSPECIFIED, Level_LEVEL_EVENTUAL:
		read.Level = cairn.Eventual
	case Level_LEVEL_AT_LEAST:
		read.Level = cairn.AtLeast
	case Level_LEVEL_LINEARIZABLE:
		read.Level = cairn.Linearizable
	default:
		return read, cairn.Invalid("read.level", "LEVEL_UNKNOWN", "a freshness level number %d, which this version does not know", x.GetLevel())
	}
	return read, nil
}
