package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"cairn/shardmap/catalog"
)

// view reads a view's document.
func (d *document) view(body ast.Node) (*catalog.ViewSpec, error) {
	top, err := d.mapping(body, "", "kind", "name", "keyspace", "filter", "sort", "fields")
	if err != nil {
		return nil, err
	}
	if err := d.require(body, top, "keyspace"); err != nil {
		return nil, err
	}
	spec := &catalog.ViewSpec{}
	if spec.Name, err = d.text(top, "name"); err != nil {
		return nil, err
	}
	if spec.Keyspace, err = d.text(top, "keyspace"); err != nil {
		return nil, err
	}
	if spec.Filter, err = d.text(top, "filter"); err != nil {
		return nil, err
	}
	if node := top.get("filter"); node != nil {
		// Errors in a filter count lines and columns from here.
		d.positions["filter"] = d.textPosition(node)
	}
	if spec.Sort, err = d.texts(top, "sort"); err != nil {
		return nil, err
	}
	spec.Fields, err = d.texts(top, "fields")
	return spec, err
}

// texts reads a list of strings; nil if the field is left out.
func (d *document) texts(m mapping, field string) ([]string, error) {
	path := join(m.path, field)
	values, err := d.sequence(m.get(field), path)
	if err != nil {
		return nil, err
	}
	var out []string
	for i, value := range values {
		text, err := d.stringValue(value, element(path, i))
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// textPosition is where a text begins: for a block that is on the line below
// its mark, after the indentation.
func (d *document) textPosition(node ast.Node) Position {
	position := d.position(node)
	block, ok := node.(*ast.LiteralNode)
	if !ok {
		return position
	}
	position.Line++
	position.Column = 1
	for line := range strings.Lines(block.Value.GetToken().Origin) {
		if text := strings.TrimLeft(line, " "); strings.TrimSpace(text) != "" {
			position.Column += len(line) - len(text)
			break
		}
	}
	return position
}

func writeView(out *strings.Builder, spec *catalog.ViewSpec) {
	fmt.Fprintf(out, "kind: %s\nname: %s\nkeyspace: %s\n", catalog.KindView, quote(spec.Name), quote(spec.Keyspace))
	if spec.Filter != "" {
		fmt.Fprintf(out, "filter: %s\n", quoteFilter(spec.Filter))
	}
	writeTexts(out, "sort", spec.Sort)
	writeTexts(out, "fields", spec.Fields)
}

func writeTexts(out *strings.Builder, field string, texts []string) {
	if len(texts) == 0 {
		return
	}
	quoted := make([]string, len(texts))
	for i, text := range texts {
		// quote would put a minus in quotes.
		if name, descending := strings.CutPrefix(text, "-"); descending && plain.MatchString(name) && !slices.Contains(reserved, strings.ToLower(name)) {
			quoted[i] = text
		} else {
			quoted[i] = quote(text)
		}
	}
	fmt.Fprintf(out, "%s: [%s]\n", field, strings.Join(quoted, ", "))
}

// plainFilter is one line that no reader of YAML takes for anything but text,
// save for reserved words and what has ": " or " #" inside.
var plainFilter = regexp.MustCompile(`^[A-Za-z(][ -~]*[!-9;-~]$`)

// quoteFilter is a filter as YAML, as readable as can be: as it is, as a block
// where it has several lines, otherwise in double quotes.
func quoteFilter(text string) string {
	switch {
	case plainFilter.MatchString(text) && !strings.Contains(text, ": ") && !strings.Contains(text, " #") &&
		!slices.Contains(reserved, strings.ToLower(text)):
		return text
	case !strings.Contains(text, "\n"):
		return quote(text)
	}
	body, mark := strings.TrimSuffix(text, "\n"), "|"
	if body == text {
		mark = "|-"
	}
	var out strings.Builder
	out.WriteString(mark)
	for i, line := range strings.Split(body, "\n") {
		// What is not seen, and what would change the indentation, is spelled out.
		if line == "" && i == 0 || line != strings.TrimRight(line, " ") || i == 0 && line[0] == ' ' ||
			strings.ContainsFunc(line, func(r rune) bool { return r > '~' || !unicode.IsPrint(r) }) {
			return quote(text)
		}
		out.WriteString("\n")
		if line != "" {
			out.WriteString("  " + line)
		}
	}
	if strings.HasSuffix(body, "\n") || body == "" {
		return quote(text)
	}
	return out.String()
}
