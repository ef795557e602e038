//go:build cgo

package sqlite

// built tells whether the library was there to be built in.
const built = true
