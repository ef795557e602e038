package cairn

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxKeyLength is the longest a key may be, in bytes.
const MaxKeyLength = 1024

// Key is opaque bytes, 1 to MaxKeyLength of them, ordered bytewise.
type Key []byte

// Validate refuses an empty key and one over MaxKeyLength.
func (k Key) Validate() error {
	switch {
	case len(k) == 0:
		return Invalid("key", "KEY_EMPTY", "the key is empty; a key has 1 to %d bytes", MaxKeyLength)
	case len(k) > MaxKeyLength:
		return Invalid("key", "KEY_TOO_LONG", "the key has %d bytes; a key has 1 to %d", len(k), MaxKeyLength)
	}
	return nil
}

// Compare orders keys bytewise.
func (k Key) Compare(other Key) int { return bytes.Compare(k, other) }

// String is the key as a person reads it: printable text as it is, every
// other byte as \xNN, and the backslash doubled, so that no two keys look the
// same.
func (k Key) String() string {
	var out strings.Builder
	for rest := []byte(k); len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == '\\':
			out.WriteString(`\\`)
		case r == utf8.RuneError && size <= 1, !unicode.IsPrint(r):
			for _, b := range rest[:size] {
				fmt.Fprintf(&out, `\x%02x`, b)
			}
		default:
			out.Write(rest[:size])
		}
		rest = rest[size:]
	}
	return out.String()
}
