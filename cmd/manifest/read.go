package manifest

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"cairn"
)

// document reads one YAML document and notes where each of its fields stands.
type document struct {
	file      string
	line      int                 // how many lines stand before it
	positions map[string]Position // by path inside the document
}

// mapping is a YAML mapping whose keys are known to be allowed.
type mapping struct {
	path   string
	values []*ast.MappingValueNode
}

// refuse makes the error for what stands at a node.
func (d *document) refuse(node ast.Node, path, reason, format string, args ...any) error {
	return at(d.position(node), cairn.Invalid(path, reason, format, args...))
}

func (d *document) position(node ast.Node) Position {
	if pair, ok := node.(*ast.MappingValueNode); ok {
		node = pair.Key
	}
	token := node.GetToken()
	// A mapping's own token is the first colon, or a brace.
	if m, ok := node.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		token = m.Values[0].Key.GetToken()
	}
	if token == nil || token.Position == nil {
		return Position{d.file, d.line + 1, 1}
	}
	return Position{d.file, d.line + token.Position.Line, token.Position.Column}
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// mapping reads a node that must be a mapping, of the allowed fields or, if
// there are none, of any.
func (d *document) mapping(node ast.Node, path string, allowed ...string) (mapping, error) {
	m := mapping{path: path}
	switch node := node.(type) {
	case *ast.MappingNode:
		m.values = node.Values
	case *ast.MappingValueNode:
		m.values = []*ast.MappingValueNode{node}
	default:
		return m, d.wrongType(node, path, "a mapping of fields to values")
	}
	seen := map[string]bool{}
	for _, pair := range m.values {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return m, d.refuse(pair.Key, path, "FIELD_MALFORMED", "a field's name must be plain text, not %s", describe(pair.Key))
		}
		field := join(path, key.Value)
		if len(allowed) > 0 && !slices.Contains(allowed, key.Value) {
			return m, d.refuse(key, field, "FIELD_UNKNOWN", "there is no such field; the fields here are %s", strings.Join(allowed, ", "))
		}
		if seen[key.Value] {
			return m, d.refuse(key, field, "FIELD_TWICE", "stands here again; the first is at %s", d.positions[field])
		}
		seen[key.Value] = true
		d.positions[field] = d.position(key)
	}
	return m, nil
}

// get is the value of a field, nil if it is left out.
func (m mapping) get(field string) ast.Node {
	for _, pair := range m.values {
		if key, ok := pair.Key.(*ast.StringNode); ok && key.Value == field {
			return pair.Value
		}
	}
	return nil
}

func (d *document) sequence(node ast.Node, path string) ([]ast.Node, error) {
	if node == nil {
		return nil, nil
	}
	s, ok := node.(*ast.SequenceNode)
	if !ok {
		return nil, d.wrongType(node, path, "a list")
	}
	for i, value := range s.Values {
		d.positions[element(path, i)] = d.position(value)
	}
	return s.Values, nil
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// text reads a string; "" if the field is left out.
func (d *document) text(m mapping, field string) (string, error) {
	node := m.get(field)
	if node == nil {
		return "", nil
	}
	return d.stringValue(node, join(m.path, field))
}

func (d *document) stringValue(node ast.Node, path string) (string, error) {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value, nil
	case *ast.LiteralNode:
		return node.Value.Value, nil
	}
	if _, scalar := node.(ast.ScalarNode); scalar && node.Type() != ast.NullType {
		return "", d.wrongType(node, path, "text (in quotes, since it looks like something else)")
	}
	return "", d.wrongType(node, path, "text")
}

// bytesValue reads text, or any bytes behind the tag !!binary.
func (d *document) bytesValue(node ast.Node, path string) ([]byte, error) {
	tag, ok := node.(*ast.TagNode)
	if !ok {
		text, err := d.stringValue(node, path)
		return []byte(text), err
	}
	if tag.Start.Value != "!!binary" {
		return nil, d.wrongType(node, path, "text, or bytes in base64 behind !!binary")
	}
	text, err := d.stringValue(tag.Value, path)
	if err != nil {
		return nil, err
	}
	out, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, d.refuse(tag.Value, path, "BASE64_MALFORMED", "what stands behind !!binary is not base64")
	}
	return out, nil
}

// number reads a whole number of at least least; nil if the field is left out.
func (d *document) number(m mapping, field string, least uint32) (*uint32, error) {
	node := m.get(field)
	if node == nil {
		return nil, nil
	}
	path := join(m.path, field)
	integer, ok := node.(*ast.IntegerNode)
	if !ok {
		return nil, d.wrongType(node, path, "a whole number")
	}
	var value uint64
	switch n := integer.Value.(type) {
	case uint64:
		value = n
	case int64:
		if n < 0 {
			return nil, d.refuse(node, path, "NUMBER_OUT_OF_RANGE", "%d is negative", n)
		}
		value = uint64(n)
	}
	if value < uint64(least) || value > math.MaxUint32 {
		return nil, d.refuse(node, path, "NUMBER_OUT_OF_RANGE", "%d is out of range; it is at least %d and has 32 bits", value, least)
	}
	out := uint32(value)
	return &out, nil
}

// choice reads one of a few words; "" if the field is left out.
func (d *document) choice(m mapping, field string, choices ...string) (string, error) {
	text, err := d.text(m, field)
	if err != nil || m.get(field) == nil || slices.Contains(choices, text) {
		return text, err
	}
	return "", d.refuse(m.get(field), join(m.path, field), "VALUE_UNKNOWN", "%q is not one of %s", text, strings.Join(choices, ", "))
}

// require refuses a mapping without a field.
func (d *document) require(parent ast.Node, m mapping, fields ...string) error {
	for _, field := range fields {
		if m.get(field) == nil {
			return d.refuse(parent, join(m.path, field), "FIELD_MISSING", "is missing, and required here")
		}
	}
	return nil
}

func (d *document) wrongType(node ast.Node, path, want string) error {
	return d.refuse(node, path, "VALUE_TYPE", "%s stands where %s is wanted", describe(node), want)
}

func describe(node ast.Node) string {
	switch node := node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", node.Value)
	case *ast.LiteralNode:
		return "a block of text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + node.GetToken().Value
	case *ast.BoolNode:
		return "the bool " + node.GetToken().Value
	case *ast.NullNode:
		return "nothing"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor, alias or merge key (spell it out instead)"
	case *ast.TagNode:
		return "the tag " + node.Start.Value
	}
	return "something else"
}
