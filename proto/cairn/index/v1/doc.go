// Package indexv1 is the wire between routers and a cluster's node index: the
// code that index.proto generates, and the codec of its packed fields
// (pack*.go): AppendKeys and DecodeKeys, and the like for located results,
// mutations, written results, entries and changes. What is asked of views has its
// messages made and read here too, by all who ask and answer.
package indexv1
