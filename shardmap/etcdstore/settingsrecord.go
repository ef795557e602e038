package etcdstore

import (
	"bytes"
	"encoding/json"
	"time"

	"cairn"
	"cairn/shardmap"
)

// settingsKey is where the settings stand, as one record.
const settingsKey = settingsFolder + "mover"

type settingsRecord struct {
	Limits  *limitsRecord `json:"limits,omitempty"`
	Balance balanceRecord `json:"balance"`
}

type limitsRecord struct {
	Bytes   int64 `json:"bytes"`
	Entries int64 `json:"entries"`
}

type balanceRecord struct {
	On      bool          `json:"on,omitempty"`
	Share   float64       `json:"share,omitempty"`
	Moves   int           `json:"moves,omitempty"`
	By      string        `json:"by,omitempty"`
	Every   time.Duration `json:"every_ns,omitempty"`
	Since   time.Time     `json:"since,omitzero"`
	Round   time.Time     `json:"round,omitzero"`
	Stopped string        `json:"stopped,omitempty"`
}

func encodeSettings(s shardmap.Settings) []byte {
	data, err := json.Marshal(settingsRecord{(*limitsRecord)(s.Limits), balanceRecord(s.Balance)})
	if err != nil {
		panic(err) // numbers, strings and times of our years always marshal
	}
	return data
}

// decodeSettings reads what encodeSettings writes; settings that are not there are
// the zero ones. It is strict: a mover must not pass over what it does not know.
func decodeSettings(r record) (shardmap.Settings, error) {
	if r.value == nil {
		return shardmap.Settings{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(r.value))
	decoder.DisallowUnknownFields()
	var stored settingsRecord
	if err := decoder.Decode(&stored); err != nil {
		return shardmap.Settings{}, cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "the record of %s is broken: %w", r.key, err)
	}
	s := shardmap.Settings{Limits: (*shardmap.CopyLimits)(stored.Limits), Balance: shardmap.Balance(stored.Balance), Revision: r.modRevision}
	s.Balance.Since, s.Balance.Round = s.Balance.Since.UTC(), s.Balance.Round.UTC()
	return s, nil
}
