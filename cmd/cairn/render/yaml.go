package render

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// appendYAML spells valid JSON as YAML in block style. Strings stay plain only
// where no reader of YAML 1.1 or 1.2 can take them for anything else, and are
// spelled as in JSON otherwise, which YAML reads too. The converters of
// goccy/go-yaml leave control characters as they are, which no reader takes.
func appendYAML(out, document []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	y := yamlWriter{decoder: decoder, out: out}
	y.value(0, false)
	return y.out
}

type yamlWriter struct {
	decoder *json.Decoder
	out     []byte
}

func (y *yamlWriter) next() json.Token {
	token, err := y.decoder.Token()
	if err != nil {
		panic(err) // the document comes from mustJSON
	}
	return token
}

// value writes one value with its newline. nested says that it stands after a
// "key:" on the same line; indent is that of its fields or elements.
func (y *yamlWriter) value(indent int, nested bool) {
	token := y.next()
	delimiter, ok := token.(json.Delim)
	switch {
	case !ok:
		if nested {
			y.out = append(y.out, ' ')
		}
		y.scalar(token)
		y.out = append(y.out, '\n')
	case !y.decoder.More():
		if nested {
			y.out = append(y.out, ' ')
		}
		y.out = append(y.out, map[json.Delim]string{'{': "{}", '[': "[]"}[delimiter]...)
		y.out = append(y.out, '\n')
		y.next()
	case delimiter == '{':
		y.object(indent, nested)
	default:
		y.array(indent, nested)
	}
}

// object writes its first field where the cursor stands, unless it is nested.
func (y *yamlWriter) object(indent int, nested bool) {
	if nested {
		y.out = append(y.out, '\n')
	}
	for first := true; y.decoder.More(); first = false {
		if nested || !first {
			y.indent(indent)
		}
		y.scalar(y.next())
		y.out = append(y.out, ':')
		y.value(indent+2, true)
	}
	y.next()
}

func (y *yamlWriter) array(indent int, nested bool) {
	if nested {
		y.out = append(y.out, '\n')
	}
	for first := true; y.decoder.More(); first = false {
		if nested || !first {
			y.indent(indent)
		}
		y.out = append(y.out, "- "...)
		y.value(indent+2, false)
	}
	y.next()
}

func (y *yamlWriter) indent(n int) {
	y.out = append(y.out, bytes.Repeat([]byte{' '}, n)...)
}

var plain = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*$`)

// otherwise are the plain words that some reader takes for a bool or null.
var otherwise = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)

func (y *yamlWriter) scalar(token json.Token) {
	switch v := token.(type) {
	case nil:
		y.out = append(y.out, "null"...)
	case bool:
		y.out = append(y.out, map[bool]string{true: "true", false: "false"}[v]...)
	case json.Number:
		y.out = append(y.out, number(string(v))...)
	case string:
		if plain.MatchString(v) && !otherwise.MatchString(v) {
			y.out = append(y.out, v...)
			return
		}
		y.out = append(y.out, bytes.TrimSuffix(mustJSON(v, ""), []byte{'\n'})...)
	}
}

// number is a number of JSON as all readers of YAML know one. Without a point
// in it, one with an exponent is text to readers of 1.1, and a float that is
// too big for an integer is text to others.
func number(text string) string {
	if strings.Contains(text, ".") {
		return text
	}
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		return text[:at] + ".0" + text[at:]
	}
	_, signed := strconv.ParseInt(text, 10, 64)
	_, unsigned := strconv.ParseUint(text, 10, 64)
	if signed != nil && unsigned != nil {
		return text + ".0"
	}
	return text
}
