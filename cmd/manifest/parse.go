package manifest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"cairn"
	"cairn/shardmap/catalog"
)

// MaxBytes is how long a manifest may be.
const MaxBytes = 4 << 20

// Position is a place in a file, counted from 1.
type Position struct {
	File         string
	Line, Column int
}

func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// at puts a position in front of an error.
func at(p Position, err error) error { return fmt.Errorf("%s: %w", p, err) }

// File is a manifest that was read.
type File struct {
	// Resources are in the order of the file.
	Resources []catalog.Resource
	positions map[string]Position // by full field name
}

// Position says where a field stands that an error about these resources
// names, as in "keyspaces/runways.attributes.surface.type": the field itself,
// or the nearest one around it. It is false for a field of no resource of this
// file.
func (f *File) Position(field string) (Position, bool) {
	for field != "" {
		if p, found := f.positions[field]; found {
			return p, true
		}
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	return Position{}, false
}

// Parse reads a manifest; name is what errors call the file. Each error is
// KindInvalid with the field's path, and its message begins with file, line
// and column.
func Parse(name string, data []byte) (*File, error) {
	if len(data) > MaxBytes {
		return nil, cairn.Invalid("", "MANIFEST_TOO_LONG", "%s: %d bytes; a manifest has at most %d", name, len(data), MaxBytes)
	}
	f := &File{positions: map[string]Position{}}
	for _, part := range documents(string(data)) {
		parsed, err := parser.ParseBytes([]byte(part.text), 0, parser.AllowDuplicateMapKey())
		if err != nil {
			return nil, syntaxError(name, part.line, err)
		}
		for _, doc := range parsed.Docs {
			if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
				continue
			}
			if err := f.add(name, part.line, doc.Body); err != nil {
				return nil, err
			}
		}
	}
	if len(f.Resources) == 0 {
		return nil, at(Position{name, 1, 1}, cairn.Invalid("", "MANIFEST_EMPTY", "the file declares nothing; begin a document with kind: Keyspace, kind: Cluster or kind: View"))
	}
	return f, nil
}

// part is one document's text, and how many lines stand before it.
type part struct {
	text string
	line int
}

// documents divides a file at its document markers. The parser could, but
// leaves out whatever follows an empty document. Markers count wherever they
// begin a line, so that no text can be mistaken for one.
func documents(text string) []part {
	parts := []part{{}}
	var current strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		marker := strings.TrimRight(line, "\r\n")
		if len(marker) > 3 && (marker[3] == ' ' || marker[3] == '\t') {
			marker = marker[:3]
		}
		if marker == "---" || marker == "..." {
			parts[len(parts)-1].text = current.String()
			parts = append(parts, part{line: n})
			current.Reset()
			line = "   " + line[3:] // columns stay what they are
		}
		current.WriteString(line)
		n++
	}
	parts[len(parts)-1].text = current.String()
	return parts
}

// add reads one document.
func (f *File) add(name string, line int, body ast.Node) error {
	d := &document{file: name, line: line, positions: map[string]Position{}}
	resource, err := d.resource(body)
	if err != nil {
		return err
	}
	full := resource.Name()
	f.positions[full+"."] = d.position(body)
	if first, declared := f.positions[full]; declared {
		return d.refuse(body, full, "RESOURCE_TWICE", "%s is declared at %s already", full, first)
	}
	f.positions[full] = d.position(body)
	for path, p := range d.positions {
		f.positions[full+"."+path] = p
	}
	if err := resource.Validate(); err != nil {
		position := d.position(body)
		if wrong, ok := errors.AsType[*cairn.Error](err); ok {
			if found, ok := f.Position(wrong.Field); ok {
				position = found
			}
		}
		return at(position, err)
	}
	f.Resources = append(f.Resources, resource)
	return nil
}

// syntaxError is a parser's error as one line with its place.
func syntaxError(name string, line int, err error) error {
	position, message := Position{name, line + 1, 1}, err.Error()
	var detailed yaml.Error
	if errors.As(err, &detailed) {
		message = strings.ReplaceAll(detailed.GetMessage(), "'\t'", "tab")
		if found := detailed.GetToken(); found != nil && found.Position != nil {
			position.Line, position.Column = line+found.Position.Line, found.Position.Column
			down, column := lastLine(found)
			if position.Line += down; down > 0 {
				position.Column = column
			}
		}
	}
	return at(position, cairn.Invalid("", "YAML_MALFORMED", "not YAML: %s; check quotes, brackets and indentation", message))
}

// lastLine is where the last line of a plain text begins, which is where the
// trouble is if what was meant as a field has become more lines of the text
// before it: how many lines below the token, and in which column.
func lastLine(of *token.Token) (down, column int) {
	if of.Type != token.StringType {
		return 0, 0
	}
	text := strings.TrimSpace(of.Origin)
	at := strings.LastIndexByte(text, '\n') + 1
	last := text[at:]
	return strings.Count(text, "\n"), len(last) - len(strings.TrimLeft(last, " ")) + 1
}
