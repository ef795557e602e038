package shardmap

import (
	"time"

	"cairn"
)

// Settings are how operators want moves to be carried out. The zero Settings, of a
// map without any, have who carries them out decide, and nothing move by itself.
type Settings struct {
	// Limits bound what all moves together copy; nil leaves it to who carries them
	// out. It is not changed once it is in a Map.
	Limits  *CopyLimits
	Balance Balance
	// Revision is that of the record, 0 while there is none.
	Revision uint64
}

// CopyLimits are how much may be copied in a second; 0 is no bound.
type CopyLimits struct{ Bytes, Entries int64 }

// Balance is how clusters are evened out without anybody asking each time.
type Balance struct {
	On bool
	// Share is the most of a keyspace's entries that a round moves, Moves the most
	// moves; both as in plan.Settings, 0 for its default.
	Share float64
	Moves int
	// By is what is evened out: "entries", as an empty one, or "load".
	By string
	// Every is how long after the beginning of a round the next one is.
	Every time.Duration
	// Since is when it was switched on: moves of before don't count.
	Since time.Time
	// Round is when the last round began, zero before the first.
	Round time.Time
	// Stopped is why it has stopped by itself; empty while it goes on. Switching it
	// on again has it go on.
	Stopped string
}

// DefaultBalanceEvery is Balance.Every if nobody says otherwise, and LeastBalanceEvery
// the least it can be.
const (
	DefaultBalanceEvery = 10 * time.Minute
	LeastBalanceEvery   = time.Second
)

// Settings are those of the Map.
func (m *Map) Settings() Settings { return m.settings }

// Set decides other settings. KindInvalid (SETTING_OUT_OF_RANGE), naming the field.
func Set(m *Map, next Settings) (Change, error) {
	refuse := func(field string, value any, what string) (Change, error) {
		return Change{}, cairn.Invalid(field, "SETTING_OUT_OF_RANGE", "%v; %s", value, what)
	}
	b := next.Balance
	switch limits := next.Limits; {
	case limits != nil && limits.Bytes < 0:
		return refuse("limits.bytes", limits.Bytes, "it is a number of bytes a second, or 0 for no bound")
	case limits != nil && limits.Entries < 0:
		return refuse("limits.entries", limits.Entries, "it is a number of entries a second, or 0 for no bound")
	case !(b.Share >= 0 && b.Share <= 1):
		return refuse("balance.share", b.Share, "it is a part, above 0 and at most 1")
	case b.Moves < 0:
		return refuse("balance.moves", b.Moves, "it is at least 1, or 0 for any number")
	case b.By != "" && b.By != "entries" && b.By != "load":
		return refuse("balance.by", b.By, "it is entries or load")
	case b.On && b.Every < LeastBalanceEvery:
		return refuse("balance.every", b.Every, "it is at least "+LeastBalanceEvery.String())
	}
	return Change{Settings: &SettingsChange{Expected: m.settings.Revision, Put: next}}, nil
}
