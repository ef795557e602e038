package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"cairn"
)

//go:embed node.lua
var nodeLua string

var script = redis.NewScript(nodeLua)

// node is a Redis server, and what it does in one step: see node.lua.
type node struct {
	address string
	redis   *redis.Client
}

func openNode(address string) *node {
	return &node{address, redis.NewClient(&redis.Options{Addr: address})}
}

// run has the node do something. A refusal has the reason of node.lua, as in
// "CAIRNFENCED"; of these CAIRNLATE is KindConflict and the others KindStale. A value
// that is not there is nil.
func (n *node) run(ctx context.Context, args ...any) (any, error) {
	result, err := script.Run(ctx, n.redis, nil, args...).Result()
	if err == nil || errors.Is(err, redis.Nil) {
		return result, nil
	}
	kind, reason := cairn.KindUnavailable, "NODE_FAILED"
	if code, _, _ := strings.Cut(err.Error(), " "); strings.HasPrefix(code, "CAIRN") {
		kind, reason = cairn.KindStale, code
		if code == "CAIRNLATE" {
			kind = cairn.KindConflict
		}
	}
	return nil, cairn.Errorf(kind, reason, "node %s: %w", n.address, err)
}

// list is run where the answer is texts.
func (n *node) list(ctx context.Context, args ...any) ([]string, error) {
	result, err := n.run(ctx, args...)
	if err != nil {
		return nil, err
	}
	values, _ := result.([]any)
	out := make([]string, len(values))
	for i, v := range values {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("node %s answers %v to %v", n.address, result, args[0])
		}
		out[i] = text
	}
	return out, nil
}

// patch is what becomes of a guard; what is nil stays. Sole removes guards within its
// range.
type patch struct {
	Least  *uint64 `json:"least,omitempty"`
	Closed *bool   `json:"closed,omitempty"`
	Fence  *uint64 `json:"fence,omitempty"`
	Notes  *bool   `json:"notes,omitempty"`
	Run    *string `json:"run,omitempty"`
	Move   *string `json:"move,omitempty"`
	Sole   bool    `json:"sole,omitempty"`
}

func (p patch) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and texts always marshal
	}
	return string(text)
}
