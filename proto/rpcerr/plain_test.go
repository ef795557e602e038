package rpcerr

import "testing"

func TestPlain(t *testing.T) {
	const refused = "dial tcp 127.0.0.1:1: connect: connection refused"
	const dialing = `connection error: desc = "transport: Error while dialing: ` + refused + `"`
	for message, want := range map[string]string{
		dialing:                             refused,
		"last connection error: " + dialing: refused,
		"latest balancer error: " + dialing: refused,
		"context deadline exceeded, latest balancer error: " + dialing:       "context deadline exceeded, " + refused,
		dialing + "; last resolver error: none":                              refused + "; last resolver error: none",
		`connection error: desc = "error reading server preface: \"a\" EOF"`: `error reading server preface: "a" EOF`,
		`connection error: desc = "cut off`:                                  `connection error: desc = "cut off`,
		"connection error: desc = ":                                          "connection error: desc = ",
		"error reading from server: EOF":                                     "error reading from server: EOF",
		"":                                                                   "",
	} {
		if got := plain(message); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", message, got, want)
		}
	}
}
