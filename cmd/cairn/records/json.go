package records

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file cuts one line of valid JSON into fields. encoding/json checks the
// line; its decoder would tell neither where a value stands nor that a name
// stands twice, and its stream of tokens costs ten times as much.

// field is one field of an object: where its value stands in the line, and
// the value as it is written.
type field struct {
	name  string
	at    int
	value json.RawMessage
}

// cut cuts the object that begins at a place in a line of valid JSON.
func cut(line []byte, at int) ([]field, error) {
	out := make([]field, 0, 8)
	for at = skipSpace(line, at+1); line[at] != '}'; {
		if line[at] == ',' {
			at = skipSpace(line, at+1)
		}
		end := skipValue(line, at)
		name, err := text(line[at:end])
		if err != nil {
			return nil, err
		}
		at = skipSpace(line, skipSpace(line, end)+1) // the colon
		end = skipValue(line, at)
		out = append(out, field{name: name, at: at, value: line[at:end]})
		at = skipSpace(line, end)
	}
	return out, nil
}

func skipSpace(line []byte, at int) int {
	for at < len(line) && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r' || line[at] == '\n') {
		at++
	}
	return at
}

// skipValue is where the value that begins at a place ends.
func skipValue(line []byte, at int) int {
	for depth := 0; ; {
		switch line[at] {
		case '"':
			for at++; line[at] != '"'; at++ {
				if line[at] == '\\' {
					at++
				}
			}
			at++
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		case ',', ':', ' ', '\t', '\r', '\n':
			at++ // between the parts of what is being skipped
		default:
			for at < len(line) && strings.IndexByte(",:]} \t\r\n", line[at]) < 0 {
				at++
			}
		}
		if depth == 0 {
			return at
		}
	}
}

// invalidText is where text is not UTF-8 or an escape is half of a surrogate
// pair, -1 if nowhere. encoding/json would replace both in silence, and a
// replaced key is another key.
func invalidText(line []byte) int {
	if !utf8.Valid(line) {
		at := 0
		for at < len(line) {
			r, size := utf8.DecodeRune(line[at:])
			if r == utf8.RuneError && size == 1 {
				return at
			}
			at += size
		}
	}
	for at := 0; ; {
		next := bytes.IndexByte(line[at:], '\\')
		if next < 0 {
			return -1
		}
		at += next
		unit, ok := escape(line[at:])
		switch {
		case !ok:
			at += 2 // an escaped character of its own
		case unit < 0xd800 || unit > 0xdfff:
			at += 6
		default:
			low, ok := escape(line[min(at+6, len(line)):])
			if unit >= 0xdc00 || !ok || low < 0xdc00 || low > 0xdfff {
				return at
			}
			at += 12
		}
		if at >= len(line) {
			return -1
		}
	}
}

// escape is the code unit that a \uXXXX at the beginning of text spells.
func escape(text []byte) (unit uint64, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return unit, err == nil
}
