// Package keytext is how keys are spelled on a command line, in text files
// and in JSON.
//
// A key is any bytes; a command line, a CSV cell and a JSON string are text.
// An Encoding says how the one becomes the other, both ways: utf8 is the
// text's own bytes, hex and base64 (RFC 4648, with padding) spell any bytes.
//
// In output meant for people a key is never ambiguous: what does not print is
// escaped, the backslash too. In output meant for programs a key that its
// encoding can't spell says so in a field of its own.
package keytext
