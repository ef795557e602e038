package daemon

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The environment of a torture: how many operations each run has at least, and
// the seed, which a failure is replayed with.
const (
	operationsEnv = "CAIRN_TORTURE_OPERATIONS"
	seedEnv       = "CAIRN_TORTURE_SEED"
)

// faultsEach is about how often a torture repeats each fault.
const faultsEach = 25

// fromEnv is a number of the environment, or another where there is none.
func fromEnv(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q; want a number", name, text)
	}
	return n
}

// TestLinearizable has clients read and write while one thing after the other
// goes wrong. What they were answered is what one register a key would answer;
// no answer is older than its token; and in the end all replicas hold the same,
// in files that check clean.
//
// With a number of operations each fault is repeated until there were as many.
// A seed has the faults and the clients draw the same again; when each thing
// happens is up to the machine.
func TestLinearizable(t *testing.T) {
	seed := fromEnv(t, seedEnv, rand.Uint64())
	operations := int(fromEnv(t, operationsEnv, 0))
	t.Logf("replay with %s=%d %s=%d", seedEnv, seed, operationsEnv, operations)
	b := besiege(t)
	for i, f := range faults {
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			b.under(t, f, seed+uint64(i), operations)
		})
		if t.Failed() {
			return
		}
	}
	b.finish()
}

// under runs a load while a fault happens, again and again until there were
// enough operations.
func (b *besieged) under(t *testing.T, f fault, seed uint64, operations int) {
	b.t, b.caller.t = t, t
	defer func() { b.t, b.caller.t = b.all, b.all }()
	random := rand.New(rand.NewPCG(seed, 0))
	l := b.load(fmt.Sprint(seed), seed)
	defer l.end()
	between := max(10*loadClients, operations/faultsEach)
	l.goesOn(between)
	for once := true; once || l.count() < operations; once = false {
		f.do(b, random)
		l.goesOn(between)
	}
	l.finish()
	b.agree()
}
