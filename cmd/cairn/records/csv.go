package records

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"cairn"
)

// CSV reads a file as RFC 4180 has it, with a header. An empty cell is an
// absent attribute.
type CSV struct {
	file       string
	mapping    Mapping
	reader     *csv.Reader
	key, node  int // columns; node is -1 where there is none
	attributes []int
	missing    []string
}

// NewCSV reads the header. It refuses a file without one, a column that the
// mapping asks for and the header does not have, and one that it uses and the
// header has twice. file is what errors call it.
func NewCSV(file string, in io.Reader, mapping Mapping) (*CSV, error) {
	buffered := bufio.NewReaderSize(in, 1<<16)
	mark, _ := buffered.Peek(len(byteOrderMark))
	if compressed(mark) {
		return nil, errCompressed(file)
	}
	if bytes.Equal(mark, byteOrderMark) {
		_, _ = buffered.Discard(len(byteOrderMark)) // it is buffered, so this can't fail
	}
	c := &CSV{file: file, mapping: mapping, reader: csv.NewReader(buffered), node: -1}
	c.reader.ReuseRecord = true
	header, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, cairn.Invalid("", "CSV_HEADER_MISSING", "%s: empty; a CSV file begins with a header that names its columns", file)
	}
	if err != nil {
		return nil, c.located(err)
	}
	header = slices.Clone(header)
	if mapping.Key == "" {
		return nil, cairn.Invalid("", "KEY_COLUMN_MISSING", "which column is the key? Say --key COLUMN; %s has %s", file, list(header))
	}
	if c.key, err = c.column(header, "--key", mapping.Key); err != nil {
		return nil, err
	}
	if mapping.Node != "" {
		if c.node, err = c.column(header, "--node", mapping.Node); err != nil {
			return nil, err
		}
	}
	for _, a := range mapping.Attributes {
		at, err := c.column(header, "--attribute "+a.Name+"=", a.Column)
		if err != nil && (a.Asked || slices.Contains(header, a.Column)) {
			return nil, err
		}
		if err != nil {
			c.missing = append(c.missing, a.Name)
		}
		c.attributes = append(c.attributes, at)
	}
	return c, nil
}

// Missing are the declared attributes that the file has no column for.
func (c *CSV) Missing() []string { return c.missing }

func (c *CSV) column(header []string, asked, name string) (int, error) {
	at := slices.Index(header, name)
	if at < 0 {
		return -1, cairn.Invalid("", "COLUMN_MISSING", "%s has no column %q (%s); it has %s", c.file, name, asked, list(header))
	}
	if slices.Contains(header[at+1:], name) {
		return -1, cairn.Invalid("", "COLUMN_TWICE", "%s has two columns %q; rename one", c.file, name)
	}
	return at, nil
}

// list is a header as an error shows it: what does not print is escaped.
func list(names []string) string {
	const most = 24
	shown := make([]string, 0, most)
	for _, name := range names[:min(len(names), most)] {
		if quoted := strconv.Quote(name); name == "" || quoted != `"`+name+`"` {
			name = quoted
		}
		shown = append(shown, name)
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), len(names)-most)
	}
	return strings.Join(shown, ", ")
}

// compressed reports whether data begins as gzip does.
func compressed(data []byte) bool { return bytes.HasPrefix(data, []byte("\x1f\x8b")) }

func errCompressed(file string) error {
	return cairn.Invalid("", "FILE_COMPRESSED", "%s is compressed; unpack it first, as in: gunzip -c FILE | cairn import KEYSPACE - --format csv|ndjson", file)
}

// Next is the next row; see Reader.
func (c *CSV) Next() (Row, error) {
	cells, err := c.reader.Read()
	if err != nil {
		return Row{}, c.located(err)
	}
	line, _ := c.reader.FieldPos(0)
	row := Row{Line: line, Attributes: make(cairn.NamedValues, 0, len(c.attributes))}
	if row.Key, err = c.mapping.KeyEncoding.Key(cells[c.key]); err != nil {
		return Row{}, c.bad(c.key, c.mapping.Key, err)
	}
	if c.node >= 0 {
		row.Node = strings.Clone(cells[c.node])
	}
	for i, a := range c.mapping.Attributes {
		at := c.attributes[i]
		if at < 0 || cells[at] == "" {
			continue
		}
		value, err := cairn.ParseValue(a.Type, cells[at])
		if err != nil {
			return Row{}, c.bad(at, a.Column, err)
		}
		row.Attributes = append(row.Attributes, cairn.NamedValue{Name: a.Name, Value: value})
	}
	return row, nil
}

func (c *CSV) bad(cell int, name string, err error) error {
	line, column := c.reader.FieldPos(cell)
	return &BadRow{File: c.file, Line: line, Column: column, Name: name, Err: err}
}

// located turns the CSV library's errors into BadRows.
func (c *CSV) located(err error) error {
	parse, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	bad := &BadRow{File: c.file, Line: parse.Line, Column: parse.Column}
	switch {
	case errors.Is(parse.Err, csv.ErrFieldCount):
		bad.Line, bad.Column = parse.StartLine, 1
		bad.Err = cairn.Invalid("", "CSV_CELLS", "not as many cells as the header has columns")
	case errors.Is(parse.Err, csv.ErrQuote):
		bad.Line = parse.StartLine
		bad.Err = cairn.Invalid("", "CSV_QUOTE", "a quoted cell that is not closed, or has something behind its closing quote (found in line %d)", parse.Line)
	case errors.Is(parse.Err, csv.ErrBareQuote):
		bad.Err = cairn.Invalid("", "CSV_QUOTE", `a quote inside an unquoted cell; put the cell in quotes and double those inside: "a ""b"" c"`)
	default:
		bad.Err = cairn.Invalid("", "CSV_MALFORMED", "%v", parse.Err)
	}
	return bad
}
