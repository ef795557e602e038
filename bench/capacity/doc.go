// Package capacity says what a deployment of Cairn needs: from what it is to hold
// and to answer, what its machines are, and what things cost, to how many
// machines there must be and which limit is met first. docs/capacity.md explains
// it; `go run ./bench capacity` computes it.
package capacity
