package main

import (
	"strconv"
	"strings"
	"unicode"

	"cairn"
	"cairn/cmd/cairn/records"
)

// This file has the parts that several verbs' documents are made of.

// nodeFields are a node in a document for programs.
type nodeFields struct {
	Cluster string `json:"cluster,omitempty"`
	Node    string `json:"node,omitempty"`
	Address string `json:"address,omitempty"`
	Zone    string `json:"zone,omitempty"`
}

func nodeOf(cluster string, node *cairn.Node) nodeFields {
	if node == nil {
		return nodeFields{Cluster: cluster}
	}
	return nodeFields{Cluster: cluster, Node: node.Name, Address: node.Address, Zone: node.Zone}
}

func nodesOf(cluster string, nodes []*cairn.Node) []nodeFields {
	var out []nodeFields
	for _, n := range nodes {
		out = append(out, nodeOf(cluster, n))
	}
	return out
}

func nodeNames(primary *cairn.Node, replicas []*cairn.Node) string {
	if primary == nil {
		return "-"
	}
	names := []string{primary.Name}
	for _, r := range replicas {
		names = append(names, r.Name)
	}
	return strings.Join(names, ",")
}

// errorFields are an error in a document for programs.
type errorFields struct {
	Kind    string `json:"kind"`
	Reason  string `json:"reason,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

func errorOf(err *cairn.Error) *errorFields {
	if err == nil {
		return nil
	}
	return &errorFields{Kind: err.Kind.String(), Reason: err.Reason, Field: err.Field, Message: err.Error()}
}

// attributesOf are attributes in a document for programs: an object where
// there is an entry, nothing where there is none.
func attributesOf(values cairn.NamedValues) *records.Attributes {
	out := records.Attributes(values)
	return &out
}

// valueText is a value as people read it: strings are quoted where they could
// be taken for something else.
func valueText(v cairn.Value) string {
	text := v.String()
	if v.Type() != cairn.TypeString {
		return text
	}
	plain := text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' || r == '\\' || r == '='
	})
	if plain {
		return text
	}
	return strconv.Quote(text)
}

// attributesText is attributes in one cell of a table.
func attributesText(values cairn.NamedValues) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Name + "=" + valueText(v.Value)
	}
	return strings.Join(out, " ")
}
