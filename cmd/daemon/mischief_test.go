package daemon

import (
	"math"
	"os"
	"strings"
	"time"

	"cairn/nodeindex/replica"
)

// mischief is a file that says what a replica's disk and clock do, and where movers
// stop, as a test may change at any time. It holds any of these words:
//
//	hang             nothing that is to be synced ever is
//	slow=30ms        each sync takes so much longer
//	full             there is no free space
//	clock=-3h        it is so much later
//	at=before:fence  a mover stops before that step of a move, while the word is there
//	lost=swap-to-committed
//	                 a mover is told that the outcome of that transaction is unknown,
//	                 which was made
//	late=swap-to-committed
//	                 it is told the same, and the transaction is made when the word is
//	                 gone
//	later=swap-to-committed
//	                 that is not gone for those of before
//
// The empty mischief has none.
type mischief string

// word is what the file says after a word; said is false where it has not got
// it.
func (m mischief) word(name string) (value string, said bool) {
	if m == "" {
		return "", false
	}
	content, err := os.ReadFile(string(m))
	if err != nil {
		return "", false
	}
	for word := range strings.FieldsSeq(string(content)) {
		if is, value, _ := strings.Cut(word, "="); is == name {
			return value, true
		}
	}
	return "", false
}

func (m mischief) duration(name string) time.Duration {
	value, _ := m.word(name)
	d, _ := time.ParseDuration(value)
	return d
}

// tune has a replica suffer from it, compare often what it has with others, and
// begin new files of its log often.
func (m mischief) tune(config *replica.Config) {
	if m == "" {
		return
	}
	config.SegmentBytes = 256 << 10
	config.MarkInterval = 500 * time.Millisecond
	config.BeforeSync = func() {
		time.Sleep(m.duration("slow"))
		for _, hangs := m.word("hang"); hangs; _, hangs = m.word("hang") {
			time.Sleep(10 * time.Millisecond)
		}
	}
	config.FreeSpace = func(string) (uint64, error) {
		if _, full := m.word("full"); full {
			return 0, nil
		}
		return math.MaxUint64 / 2, nil
	}
	config.Now = func() time.Time { return time.Now().Add(m.duration("clock")) }
}

// set writes the file, as a whole.
func (m mischief) set(words string) error {
	if err := os.WriteFile(string(m)+".new", []byte(words), 0o600); err != nil {
		return err
	}
	return os.Rename(string(m)+".new", string(m))
}
