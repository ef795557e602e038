package render

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"cairn"
)

// Format is how results are printed. The zero Format is Table.
type Format uint8

// The formats.
const (
	Table Format = iota
	JSON
	YAML
)

var formatNames = [...]string{"table", "json", "yaml"}

func (f Format) String() string { return formatNames[f] }

// FormatNames are the formats as Set takes them.
func FormatNames() []string { return formatNames[:] }

// Set reads a format's name. With Type it makes a Format a flag.
func (f *Format) Set(name string) error {
	for i, n := range formatNames {
		if n == name {
			*f = Format(i)
			return nil
		}
	}
	return cairn.Invalid("output", "OUTPUT_FORMAT", "%q is not an output format; they are %s", name, strings.Join(formatNames[:], ", "))
}

// Type is what a flag of this type takes.
func (f *Format) Type() string { return strings.Join(formatNames[:], "|") }

// Write prints document as JSON or YAML, or calls table. Its errors are those
// of out; a document that JSON can't spell is a defect and panics.
func Write(out io.Writer, format Format, document any, table func(io.Writer) error) error {
	switch format {
	case JSON:
		return write(out, mustJSON(document, "  "))
	case YAML:
		return write(out, appendYAML(nil, mustJSON(document, "")))
	}
	return table(out)
}

// Line prints document as one line of JSON, or as one document of a YAML
// stream, for output without an end.
func Line(out io.Writer, format Format, document any) error {
	line := mustJSON(document, "")
	if format == YAML {
		return write(out, appendYAML([]byte("---\n"), line))
	}
	return write(out, line)
}

// mustJSON is document as JSON with a newline after it, HTML's characters
// left alone.
func mustJSON(document any, indent string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(document); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func write(out io.Writer, text []byte) error {
	_, err := out.Write(text)
	return err
}
