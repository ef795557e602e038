package keytext

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"cairn"
)

// Encoding is how bytes are spelled as text. The zero Encoding is UTF8.
type Encoding uint8

// The encodings.
const (
	UTF8 Encoding = iota
	Hex
	Base64
)

var names = [...]string{"utf8", "hex", "base64"}

func (e Encoding) String() string { return names[e] }

// Names are the encodings as Set takes them.
func Names() []string { return names[:] }

// Set reads an encoding's name. With Type it makes an Encoding a flag.
func (e *Encoding) Set(name string) error {
	for i, n := range names {
		if n == name {
			*e = Encoding(i)
			return nil
		}
	}
	return cairn.Invalid("key-encoding", "KEY_ENCODING", "%q is not an encoding of keys; they are %s", name, strings.Join(names[:], ", "))
}

// Type is what a flag of this type takes.
func (e *Encoding) Type() string { return strings.Join(names[:], "|") }

// Bytes are what text spells: any number of bytes, none included. It refuses
// text that is not of this encoding.
func (e Encoding) Bytes(text string) ([]byte, error) {
	switch e {
	case Hex:
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, cairn.Invalid("key", "KEY_MALFORMED", "%q is not hexadecimal digits in pairs", text)
		}
		return raw, nil
	case Base64:
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return nil, cairn.Invalid("key", "KEY_MALFORMED", "%q is not base64 (RFC 4648, with padding)", text)
		}
		return raw, nil
	}
	if !utf8.ValidString(text) {
		return nil, cairn.Invalid("key", "KEY_NOT_UTF8", "%q is not UTF-8; spell it with --key-encoding hex or base64", text)
	}
	return []byte(text), nil
}

// Key is the key that text spells. It refuses what Bytes refuses and what is
// no key: nothing, and more than cairn.MaxKeyLength bytes.
func (e Encoding) Key(text string) (cairn.Key, error) {
	raw, err := e.Bytes(text)
	if err != nil {
		return nil, err
	}
	key := cairn.Key(raw)
	return key, key.Validate()
}

// Text is a key as people read it: escaped with UTF8, spelled in the other
// encodings.
func (e Encoding) Text(key []byte) string {
	switch e {
	case Hex:
		return hex.EncodeToString(key)
	case Base64:
		return base64.StdEncoding.EncodeToString(key)
	}
	return cairn.Key(key).String()
}

// JSON is a key as programs read it, and the name of the encoding that it is
// spelled in: empty for UTF8, which a key that is not UTF-8 leaves for
// base64.
func (e Encoding) JSON(key []byte) (text, encoding string) {
	if e == UTF8 {
		if utf8.Valid(key) {
			return string(key), ""
		}
		e = Base64
	}
	return e.Text(key), e.String()
}

// ParseJSON is the key of a text and an encoding's name as JSON gives them.
func ParseJSON(text, encoding string) (cairn.Key, error) {
	var e Encoding
	if encoding != "" {
		if err := e.Set(encoding); err != nil {
			return nil, err
		}
	}
	return e.Key(text)
}
