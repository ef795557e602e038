package records

import (
	"fmt"
	"slices"
	"strings"

	"cairn"
	"cairn/cmd/cairn/keytext"
)

// Row is one entry as a file has it.
type Row struct {
	// Line is where the row begins in its file, from 1.
	Line int
	Key  cairn.Key
	// Node is the primary node's name, empty where the file names none, and
	// Replicas are those of further nodes.
	Node       string
	Replicas   []string
	Attributes cairn.NamedValues
}

// Reader yields a file's rows.
type Reader interface {
	// Next is the next row. At the end it returns io.EOF, for a row that is
	// wrong a *BadRow, after which reading may go on. Any other error is the
	// file's own, and final.
	Next() (Row, error)
}

// BadRow is a row that can't become an entry.
type BadRow struct {
	File string
	// Line and Column are where the trouble is, both from 1, the column in
	// bytes.
	Line, Column int
	// Name is the column's or field's name; empty where it is the whole row.
	Name string
	// Refused says that the row could be read and was refused by whoever was
	// to take it. Rows behind it may have been taken by then.
	Refused bool
	Err     error
}

func (b *BadRow) Error() string {
	where := fmt.Sprintf("%s:%d:%d: ", b.File, b.Line, b.Column)
	if b.Name != "" {
		where += fmt.Sprintf("column %q: ", b.Name)
	}
	return where + b.Err.Error()
}

func (b *BadRow) Unwrap() error { return b.Err }

// Mapping says what is read from which column.
type Mapping struct {
	// Key is the key's column. An NDJSON file of records needs none.
	Key         string
	KeyEncoding keytext.Encoding
	// Node is the primary node's column; empty: the file names no nodes,
	// unless it is one of records.
	Node       string
	Attributes []Attribute
}

// Attribute is a declared attribute and the column that it is read from.
type Attribute struct {
	Name   string
	Type   cairn.Type
	Column string
	// Asked says that somebody asked for this column by name, so that a file
	// without it is refused.
	Asked bool
}

// NewMapping maps each declared attribute to the column of its name, or to
// the one that columns has for it.
func NewMapping(declared []cairn.AttributeSpec, columns map[string]string) ([]Attribute, error) {
	out := make([]Attribute, 0, len(declared))
	for _, d := range declared {
		column, asked := columns[d.Name]
		if !asked {
			column = d.Name
		}
		out = append(out, Attribute{Name: d.Name, Type: d.Type, Column: column, Asked: asked})
	}
	for name := range columns {
		if !slices.ContainsFunc(declared, func(d cairn.AttributeSpec) bool { return d.Name == name }) {
			return nil, unknownAttribute(name, out)
		}
	}
	return out, nil
}

func unknownAttribute(name string, declared []Attribute) error {
	if len(declared) == 0 {
		return cairn.Invalid("attributes."+name, "ATTRIBUTE_UNKNOWN", "the keyspace declares no attributes")
	}
	names := make([]string, len(declared))
	for i, d := range declared {
		names[i] = d.Name
	}
	return cairn.Invalid("attributes."+name, "ATTRIBUTE_UNKNOWN", "the keyspace declares no such attribute; it has %s", strings.Join(names, ", "))
}
