//go:build !cgo

package sqlite

const built = false
