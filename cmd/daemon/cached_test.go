package daemon

import (
	"context"
	"regexp"
	"strconv"
	"sync"
	"testing"
)

// sheltered is a cache of locations that has as many of its answers compared as it can.
var sheltered = Cache{Bytes: 16 << 20, CheckEvery: 1}

// cacheFigures are what a router's metrics say of its cache.
type cacheFigures struct {
	hits, agreed, disagreed int
}

func cacheOf(t *testing.T, router Addresses) (f cacheFigures) {
	t.Helper()
	_, page := getPage(t, "http://"+router.HTTP+"/metrics")
	for text, to := range map[string]*int{
		`cairn_cache_lookups_total\{.*outcome="hit"\}`:    &f.hits,
		`cairn_cache_checks_total\{outcome="agreed"\}`:    &f.agreed,
		`cairn_cache_checks_total\{outcome="disagreed"\}`: &f.disagreed,
	} {
		for _, line := range regexp.MustCompile(`(?m)^`+text+` (\d+)$`).FindAllStringSubmatch(page, -1) {
			n, err := strconv.Atoi(line[1])
			if err != nil {
				t.Fatal(err)
			}
			*to += n
		}
	}
	return f
}

// expectTrueCache checks that a router's cache has answered, and never wrongly.
func expectTrueCache(t *testing.T, router Addresses) {
	t.Helper()
	f := cacheOf(t, router)
	t.Logf("the cache of %s answered %d reads, of which %d were compared and right", router.Listen, f.hits, f.agreed)
	if f.hits == 0 || f.agreed == 0 || f.disagreed > 0 {
		t.Errorf("%d answers of the cache were compared and wrong", f.disagreed)
	}
}

// ownWritesEnv is how many writes are read by their tokens; ownWrites if it is not set.
const (
	ownWritesEnv = "CAIRN_OWN_WRITES"
	ownWrites    = 1000
)

// readOwnWrites writes through one router after the other, reads with each write's token
// through the next, and checks that the write is seen. What is read has been cached before.
// The returned function waits for the end.
func (m *moving) readOwnWrites() (wait func()) {
	const (
		writers   = 8
		keysOfOne = 20
	)
	each := int(fromEnv(m.t, ownWritesEnv, ownWrites)) / writers
	l := &load{t: m.t, routers: m.routers, prefix: "own"}
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := range each {
				written := deed{client: writer + i, key: writer*keysOfOne + i%keysOfOne, verb: put, value: int64(i + 1), expects: anything}
				write := l.put
				if i%7 == 6 {
					written.verb, written.value, write = remove, 0, l.remove
				}
				before := deed{client: written.client + 1, key: written.key, verb: readAtLeast}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				err := l.read(ctx, &before) // has it cached
				if err == nil {
					err = write(ctx, &written)
				}
				seen := deed{client: before.client, key: written.key, verb: readAtLeast, floor: written.token}
				if err == nil {
					err = l.read(ctx, &seen)
				}
				cancel()
				if err != nil || seen.found != written.value {
					m.t.Errorf("write %d of writer %d: %v, seen as %v; %v", i, writer, &written, &seen, err)
					return
				}
			}
		})
	}
	return func() {
		group.Wait()
		m.t.Logf("%d writes were read by their tokens", writers*each)
	}
}
