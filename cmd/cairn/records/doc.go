// Package records reads the rows of CSV and NDJSON files as entries, and
// spells entries as NDJSON that it reads back.
//
// A Mapping says which column is the key, which the node, and which each
// attribute is read from; other columns are ignored. A Reader yields one Row
// after the other. What is wrong with one row comes as a *BadRow that names
// file, line and column, and the reader goes on behind it.
//
// # The record
//
// A Record is one JSON object a line:
//
//	{"key":"252159","node":"north-a","replicas":["north-b"],"attributes":{"length_ft":12091}}
//
// "key_encoding" (base64 or hex) stands beside a key that is not UTF-8,
// "replicas" only where there are some. Attributes are what their declared
// types are in JSON: ints as exact whole numbers, timestamps as RFC 3339; an
// absent attribute is left out. A record has what its owner said about the
// entry and nothing of where it happens to be kept: no cluster, shard,
// version or token, so that the same entries give the same bytes elsewhere.
//
// An NDJSON reader takes an object with an "attributes" object in it for such
// a record, and any other for a flat one, whose fields are columns.
package records
