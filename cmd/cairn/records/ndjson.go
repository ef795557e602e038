package records

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"cairn"
	"cairn/cmd/cairn/keytext"
)

// MaxLine is the longest a line of NDJSON may be, in bytes.
const MaxLine = 4 << 20

// NDJSON reads one JSON object a line: records, or, where the mapping names
// the key's field, also flat objects whose fields are columns. Empty lines are skipped; null is an absent attribute. A file
// may have both sorts.
type NDJSON struct {
	file     string
	mapping  Mapping
	byName   map[string]Attribute
	byColumn map[string][]Attribute
	lines    *bufio.Scanner
	line     int
}

// byteOrderMark is what spreadsheets and some editors begin a file with. It
// is no part of what the file says.
var byteOrderMark = []byte("\xef\xbb\xbf")

// NewNDJSON reads lines from in. file is what errors call it.
func NewNDJSON(file string, in io.Reader, mapping Mapping) *NDJSON {
	n := &NDJSON{
		file: file, mapping: mapping, lines: bufio.NewScanner(in),
		byName: map[string]Attribute{}, byColumn: map[string][]Attribute{},
	}
	n.lines.Buffer(make([]byte, 0, 1<<16), MaxLine)
	for _, a := range mapping.Attributes {
		n.byName[a.Name] = a
		n.byColumn[a.Column] = append(n.byColumn[a.Column], a)
	}
	return n
}

// Next is the next row; see Reader.
func (n *NDJSON) Next() (Row, error) {
	for n.lines.Scan() {
		n.line++
		line := n.lines.Bytes()
		if n.line == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			return n.row(line)
		}
	}
	switch err := n.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Row{}, cairn.Invalid("", "LINE_TOO_LONG", "%s:%d: a line of more than %d bytes; NDJSON has one object a line", n.file, n.line+1, MaxLine)
	case err != nil:
		return Row{}, err
	}
	return Row{}, io.EOF
}

func (n *NDJSON) row(line []byte) (Row, error) {
	if compressed(line) {
		return Row{}, errCompressed(n.file)
	}
	if at := invalidText(line); at >= 0 {
		return Row{}, n.bad(at, "", cairn.Invalid("", "JSON_NOT_UTF8", "text that is not UTF-8, or half of a surrogate pair"))
	}
	if !json.Valid(line) {
		return Row{}, n.malformed(line)
	}
	start := skipSpace(line, 0)
	if line[start] != '{' {
		return Row{}, n.bad(start, "", cairn.Invalid("", "JSON_NOT_OBJECT", "not a JSON object; NDJSON has one object a line"))
	}
	fields, err := n.fields(line, start)
	if err != nil {
		return Row{}, err
	}
	if n.mapping.Key == "" {
		return n.record(line, fields)
	}
	for _, f := range fields {
		if f.name == "attributes" && f.value[0] == '{' {
			return n.record(line, fields)
		}
	}
	return n.flat(fields)
}

// malformed says where a line stops being JSON.
func (n *NDJSON) malformed(line []byte) error {
	err := json.Unmarshal(line, new(json.RawMessage))
	at := len(line)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = int(syntax.Offset) - 1
	}
	if at >= len(line)-1 && json.Valid(append(bytes.Clone(line), '}')) {
		err = errors.New("the line ends inside the object; NDJSON has one object a line")
	}
	return n.bad(at, "", cairn.Invalid("", "JSON_MALFORMED", "not JSON: %w", err))
}

// fields are those of the object that begins at a place in the line.
func (n *NDJSON) fields(line []byte, at int) ([]field, error) {
	fields, err := cut(line, at)
	if err != nil {
		return nil, n.bad(at, "", err)
	}
	for i, f := range fields {
		for _, other := range fields[:i] {
			if other.name == f.name {
				return nil, n.bad(f.at, f.name, cairn.Invalid("", "FIELD_TWICE", "the object has this field twice"))
			}
		}
	}
	return fields, nil
}

// record reads a Record.
func (n *NDJSON) record(line []byte, fields []field) (Row, error) {
	row := Row{Line: n.line}
	var key field
	var keyText, keyEncoding string
	for _, f := range fields {
		var err error
		switch f.name {
		case "key":
			key = f
			keyText, err = text(f.value)
		case "key_encoding":
			keyEncoding, err = text(f.value)
		case "node":
			row.Node, err = text(f.value)
		case "replicas":
			if json.Unmarshal(f.value, &row.Replicas) != nil {
				err = cairn.Invalid("", "VALUE_TYPE", "not a list of node names")
			}
		case "attributes":
			row.Attributes, err = n.attributes(line, f)
		default:
			err = cairn.Invalid("", "FIELD_UNKNOWN", "a record has no such field; its fields are key, key_encoding, node, replicas and attributes%s", n.otherwise())
		}
		if err != nil {
			return Row{}, n.bad(f.at, f.name, err)
		}
	}
	if key.value == nil {
		return Row{}, n.bad(0, "", cairn.Invalid("", "KEY_MISSING", "a record without a key%s", n.otherwise()))
	}
	var err error
	if row.Key, err = keytext.ParseJSON(keyText, keyEncoding); err != nil {
		return Row{}, n.bad(key.at, "key", err)
	}
	return row, nil
}

// otherwise says what to do about an object that was taken for a record
// because nobody has said where its key is.
func (n *NDJSON) otherwise() string {
	if n.mapping.Key != "" {
		return ""
	}
	return "; for objects of another form say --key FIELD"
}

func (n *NDJSON) attributes(line []byte, of field) (cairn.NamedValues, error) {
	if of.value[0] != '{' {
		return nil, cairn.Invalid("", "VALUE_TYPE", "%s where an object of attributes is wanted", describe(of.value))
	}
	fields, err := n.fields(line, of.at)
	if err != nil {
		return nil, err
	}
	out := make(cairn.NamedValues, 0, len(fields))
	for _, f := range fields {
		a, ok := n.byName[f.name]
		if !ok {
			return nil, n.bad(f.at, f.name, unknownAttribute(f.name, n.mapping.Attributes))
		}
		if out, err = with(out, a, f.value); err != nil {
			return nil, n.bad(f.at, f.name, err)
		}
	}
	out.Sort()
	return out, nil
}

// flat reads an object whose fields are columns.
func (n *NDJSON) flat(fields []field) (Row, error) {
	row := Row{Line: n.line, Attributes: make(cairn.NamedValues, 0, len(n.mapping.Attributes))}
	found := false
	for _, f := range fields {
		var err error
		if f.name == n.mapping.Key {
			found = true
			var spelled string
			if spelled, err = textOrNumber(f.value); err == nil {
				row.Key, err = n.mapping.KeyEncoding.Key(spelled)
			}
		}
		if err == nil && f.name == n.mapping.Node && n.mapping.Node != "" && string(f.value) != "null" {
			row.Node, err = textOrNumber(f.value)
		}
		for _, a := range n.byColumn[f.name] {
			if err == nil {
				row.Attributes, err = with(row.Attributes, a, f.value)
			}
		}
		if err != nil {
			return Row{}, n.bad(f.at, f.name, err)
		}
	}
	if !found {
		return Row{}, n.bad(0, "", cairn.Invalid("", "KEY_MISSING", "no field %q, which --key names", n.mapping.Key))
	}
	row.Attributes.Sort()
	return row, nil
}

// bad names a place in the present line; an error that names one already
// stays as it is.
func (n *NDJSON) bad(at int, name string, err error) error {
	if located, ok := errors.AsType[*BadRow](err); ok {
		return located
	}
	return &BadRow{File: n.file, Line: n.line, Column: at + 1, Name: name, Err: err}
}

// with is out with the attribute's value as JSON spells it; null leaves it
// absent.
func with(out cairn.NamedValues, a Attribute, value json.RawMessage) (cairn.NamedValues, error) {
	if string(value) == "null" {
		return out, nil
	}
	v, err := parse(a.Type, value)
	if err != nil {
		return out, err
	}
	return append(out, cairn.NamedValue{Name: a.Name, Value: v}), nil
}

// parse reads a JSON value as one of type t: a string for strings and
// timestamps, a number for ints and floats, true, false, 1 or 0 for bools.
func parse(t cairn.Type, value json.RawMessage) (cairn.Value, error) {
	spelled := string(value)
	quoted := value[0] == '"'
	if wants := t == cairn.TypeString || t == cairn.TypeTimestamp; quoted != wants || value[0] == '{' || value[0] == '[' {
		return cairn.Value{}, cairn.Invalid("", "VALUE_TYPE", "%s; the attribute is declared %s", describe(value), t)
	}
	if quoted {
		var err error
		if spelled, err = text(value); err != nil {
			return cairn.Value{}, err
		}
	}
	return cairn.ParseValue(t, spelled)
}

func describe(value json.RawMessage) string {
	switch value[0] {
	case '"':
		return "a JSON string"
	case '{':
		return "a JSON object"
	case '[':
		return "a JSON list"
	case 't', 'f':
		return "a JSON bool"
	case 'n':
		return "null"
	}
	return "a JSON number"
}

func text(value json.RawMessage) (string, error) {
	if inner := value[1 : max(len(value), 2)-1]; value[0] == '"' && bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), nil
	}
	var out string
	if value[0] != '"' || json.Unmarshal(value, &out) != nil {
		return "", cairn.Invalid("", "VALUE_TYPE", "%s where a string is wanted", describe(value))
	}
	return out, nil
}

func textOrNumber(value json.RawMessage) (string, error) {
	if value[0] == '-' || value[0] >= '0' && value[0] <= '9' {
		return string(value), nil
	}
	return text(value)
}
