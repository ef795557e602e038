// Package securetest makes certificates for tests: an authority of their own, and what it
// signs.
//
//	authority, err := securetest.New(folder, "authority")
//	files, err := authority.Issue("north-1", time.Now().Add(time.Hour))
//	transport, err := secure.Open(files, log)
package securetest
