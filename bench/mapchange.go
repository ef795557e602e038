package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/stack"
)

// mapChange changes the map again and again under followers that each watch etcd as a
// router does, and tells after how long the last of them serves by it.
func mapChange(ctx context.Context, s settings) (err error) {
	followed, err := stack.Subscribe(ctx, s.followers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, followed.Close()) }()
	var sent, answered []time.Duration
	for end := time.Now().Add(s.warmup); time.Now().Before(end); {
		if _, _, err := followed.Change(ctx); err != nil {
			return err
		}
	}
	for range s.changes {
		sinceSent, sinceAnswered, err := followed.Change(ctx)
		if err != nil {
			return err
		}
		sent, answered = append(sent, sinceSent), append(answered, sinceAnswered)
	}
	s.note("Map/since=sent", fmt.Sprintf("a change of the map, since it was sent to etcd, until the last of %d followers has it", s.followers), sent)
	s.note("Map/since=answered", "the same, since etcd had answered", answered)
	slices.Sort(sent)
	slices.Sort(answered)
	fmt.Fprintf(s.out, "\n# %d changes of the map, one after the other, until the last of %d followers has it\n", s.changes, s.followers)
	fmt.Fprintf(s.out, "since it was sent to etcd: p50 %v p99 %v most %v\n", quantile(sent, 0.5), quantile(sent, 0.99), sent[len(sent)-1])
	fmt.Fprintf(s.out, "since etcd had answered: p50 %v p99 %v most %v\n", quantile(answered, 0.5), quantile(answered, 0.99), answered[len(answered)-1])
	return nil
}

// note adds how long something took, again and again, to the record.
func (s settings) note(name, about string, took []time.Duration) {
	report.Took(s.out, name, about, load.Took(took))
}
