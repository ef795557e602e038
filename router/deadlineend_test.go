package router

import (
	"context"
	"testing"
	"time"
)

// TestContextsMadeOfOneThatEnds has others made of a request's context outlive
// it, as those of an attempt may by a moment.
func TestContextsMadeOfOneThatEnds(t *testing.T) {
	for _, end := range []func(*deadlineContext){(*deadlineContext).end, (*deadlineContext).stop} {
		c := &deadlineContext{parent: t.Context(), deadline: time.Now().Add(time.Hour)}
		child, cancel := context.WithTimeout(c, time.Minute)
		end(c)
		select {
		case <-child.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("it goes on")
		}
		if child.Err() == nil || c.Err() == nil {
			t.Errorf("done, and no reason: %v, %v", child.Err(), c.Err())
		}
		cancel()
	}
	// One that nobody waited for is over too.
	c := &deadlineContext{parent: t.Context(), deadline: time.Now().Add(time.Hour)}
	c.end()
	select {
	case <-c.Done():
	default:
		t.Error("Done is open after the end")
	}
	if c.Err() == nil {
		t.Error("no error after the end")
	}
}
