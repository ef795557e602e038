// Package filter compiles the filters of views and the conditions of queries:
// CEL expressions over an entry's attributes.
//
// # The language
//
// The syntax is the Common Expression Language's, read by its Go library. Of
// its operators and functions these are supported: == != < <= > >= between an
// attribute and a constant, in with a list of constants, && || ! and
// parentheses, has(attribute), attribute.startsWith("prefix"), a bool
// attribute by itself, timestamp("2026-01-31T09:30:00Z") and duration("36h")
// with + and - between them, and now, the current time, in a query's where.
// Everything else is refused with its line, its column and what to write
// instead. So is a comparison of values that can't be compared.
//
// An absent attribute is unknown, with three-valued logic as in SQL: an entry
// passes only if the filter is true of it, and the negation of unknown is
// unknown. has(a) alone is never unknown. Numbers compare by value across int
// and float, without rounding; strings bytewise; false is less than true.
//
// # What comes of it
//
// [Parse] checks an expression against a schema and brings it into a normal
// form without negation: conjunctions and disjunctions of leaves, a [Leaf]
// being a set of one attribute's values, with or without the entries that
// lack it. Conditions on one attribute become one leaf, so that a pair of
// bounds is one range. From the normal form come
//
//   - the predicate: [Filter.Match] over an entry's encoded attributes and
//     [Filter.MatchOrdinal] over columns, both without allocation;
//   - the [Plan], which computes the ordinals of a whole index, of a block or
//     of any set of candidates from the bitmaps that a [Resolver] supplies;
//   - the canonical text, [Filter.String], equal for expressions that differ
//     only in order, repetition or spelling.
//
// [Filter.Explain] goes back to the expression as it was written, and says
// which of its clauses decide about an entry.
//
// A Filter is immutable; any number of goroutines may use it at once.
package filter
