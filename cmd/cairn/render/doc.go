// Package render prints a verb's result: as a table for people, as JSON or
// YAML for programs.
//
// A result is one Go value with JSON tags. JSON is that value indented; YAML
// is the same document spelled otherwise, so that both have the same fields
// in the same order; a table is what the verb makes of it. Whole numbers are
// exact in all three, whatever their size.
package render
