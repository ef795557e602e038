// Package wire translates between the vocabulary (package cairn) and the
// messages of the public API, the same way on both sides of a connection:
// values, versions, freshness, conditions and writes. What comes from outside
// is checked here as far as it can be without a schema; errors name the field
// of the message.
package wire
