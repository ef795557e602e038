package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// deed is one call of a client about one key, and what came of it. Each write
// of a history has a value of its own, so that a value stands for the write
// that left it; 0 stands for no entry.
type deed struct {
	client, key int
	verb        verb
	// value is what a put leaves.
	value int64
	// expects is what must be there for a write to take effect, unless it is
	// anything.
	expects int64
	// expectsVersion is the version of that, where it is some entry.
	expectsVersion cairn.Version
	// sought is what a look into the view is for: whether the key has that value.
	sought int64
	// request names a write that may be repeated.
	request *cairnv1.RequestId
	// floor is the token of a read that is to be at least so fresh.
	floor cairn.Token

	call, end time.Duration // since the history began; end is endless if unknown
	outcome   fate
	// found is what a read found, and its version; or the version that a put
	// gave.
	found   int64
	version cairn.Version
	// existed tells whether a write found an entry, or a look what it was for.
	existed bool
	// token is that of the answer.
	token cairn.Token
}

type verb uint8

const (
	readLatest  verb = iota // linearizable
	readAtLeast             // a token
	lookLatest              // linearizable, into the view
	lookAtLeast             // a token
	put
	remove
)

type fate uint8

const (
	done    fate = iota
	refused      // a write whose condition does not hold
	unknown      // a write that may have been done, or may yet be
)

const (
	anything = int64(-1)
	endless  = time.Duration(math.MaxInt64)
)

func (d *deed) writes() bool { return d.verb == put || d.verb == remove }

func (d *deed) String() string {
	text := fmt.Sprintf("%10.6f to %10.6f client %d key %d ", d.call.Seconds(), d.end.Seconds(), d.client, d.key)
	switch d.verb {
	case readLatest:
		return text + fmt.Sprintf("reads %d %v", d.found, d.version)
	case readAtLeast:
		return text + fmt.Sprintf("reads at least %v: %d %v, token %v", d.floor.Clusters(), d.found, d.version, d.token.Clusters())
	case lookLatest:
		return text + fmt.Sprintf("looks for %d: %t", d.sought, d.existed)
	case lookAtLeast:
		return text + fmt.Sprintf("looks at least %v for %d: %t, token %v", d.floor.Clusters(), d.sought, d.existed, d.token.Clusters())
	case put:
		text += fmt.Sprintf("puts %d", d.value)
	case remove:
		text += "deletes"
	}
	if d.expects != anything {
		text += fmt.Sprintf(" if %d", d.expects)
	}
	return text + fmt.Sprintf(": %s, existed %t, version %v, token %v", [...]string{"done", "refused", "unknown"}[d.outcome], d.existed, d.version, d.token.Clusters())
}

// history is everything that the clients of one run did.
type history struct {
	mu    sync.Mutex // guards deeds
	deeds []deed
}

func (h *history) add(d deed) {
	h.mu.Lock()
	h.deeds = append(h.deeds, d)
	h.mu.Unlock()
}

func (h *history) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.deeds)
}

// register is one key as porcupine's model: its state is the value.
var register = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, _ any) (bool, any) {
		value, d := state.(int64), input.(*deed)
		switch d.verb {
		case readLatest:
			return d.found == value, value
		case lookLatest:
			return d.existed == (d.sought == value), value
		}
		holds := d.expects == anything || d.expects == value
		after := value
		if holds {
			after = d.value // 0 for a delete
		}
		switch d.outcome {
		case done:
			return holds && d.existed == (value != 0), after
		case refused:
			return !holds, value
		}
		return true, after // one that was never done comes last, where nobody sees it
	},
}

// checkTimeout bounds porcupine's search for one key.
const checkTimeout = 30 * time.Second

// check reports everything that no index could have answered that takes one
// write after the other.
func (h *history) check() error {
	byKey := map[int][]*deed{}
	for i := range h.deeds {
		d := &h.deeds[i]
		byKey[d.key] = append(byKey[d.key], d)
	}
	var failures []error
	for key, deeds := range byKey {
		failures = append(failures, checkVersions(deeds), checkTokens(deeds), checkFloors(deeds), checkLooks(deeds))
		var operations []porcupine.Operation
		for _, d := range deeds {
			if d.verb != readAtLeast && d.verb != lookAtLeast {
				operations = append(operations, porcupine.Operation{ClientId: d.client, Input: d, Call: int64(d.call), Return: int64(d.end)})
			}
		}
		if result := porcupine.CheckOperationsTimeout(register, operations, checkTimeout); result != porcupine.Ok {
			failures = append(failures, fmt.Errorf("the history of key %d is not linearizable (%s):\n%s", key, result, listed(deeds)))
		}
	}
	return errors.Join(failures...)
}

// listed is a history to read.
func listed(deeds []*deed) (text string) {
	slices.SortFunc(deeds, func(a, b *deed) int { return cmp.Compare(a.call, b.call) })
	for _, d := range deeds {
		text += d.String() + "\n"
	}
	return text
}

// checkVersions checks that a version stands for one write, and a write for one
// version.
func checkVersions(deeds []*deed) error {
	values, versions := map[cairn.Version]int64{}, map[int64]cairn.Version{}
	for _, d := range deeds {
		value := d.found
		if d.verb == put {
			value = d.value
		}
		if value == 0 || d.version.IsZero() {
			continue
		}
		if known, seen := values[d.version]; seen && known != value {
			return fmt.Errorf("version %v is of values %d and %d:\n%s", d.version, known, value, listed(deeds))
		}
		if known, seen := versions[value]; seen && known != d.version {
			return fmt.Errorf("value %d has the versions %v and %v:\n%s", value, known, d.version, listed(deeds))
		}
		values[d.version], versions[value] = value, d.version
	}
	return nil
}

// checkTokens checks that no answer has a lower token than its question.
func checkTokens(deeds []*deed) error {
	for _, d := range deeds {
		if (d.verb == readAtLeast || d.verb == lookAtLeast) && !covers(d.token, d.floor) {
			return fmt.Errorf("an answer has a lower token than the question: %v\n%s", d, listed(deeds))
		}
	}
	return nil
}

// checkFloors checks that no read at least as fresh as a token is older than
// that (I4): no write of the key stands in the log between what was found and
// where the token is.
func checkFloors(deeds []*deed) error {
	for _, read := range deeds {
		if read.verb != readAtLeast {
			continue
		}
		covered := coveredBy(deeds, read.floor)
		switch {
		case covered == nil:
		case read.found != 0 && (placeOf(read.version).Compare(covered.place()) >= 0 || covered.verb == remove && mayHaveComeAfter(deeds, covered, read.found)):
		case read.found == 0 && (covered.verb == remove || mayHaveBeenRemoved(deeds, covered, read)):
		default:
			return fmt.Errorf("an answer is older than its token: %v\nwhich covers %v\n%s", read, covered, listed(deeds))
		}
	}
	return nil
}

// coveredBy is the last write that a token covers; nil if there is none that was done.
func coveredBy(deeds []*deed, token cairn.Token) (covered *deed) {
	for _, w := range deeds {
		if w.writes() && w.outcome == done && covers(token, w.token) && (covered == nil || w.place().Compare(covered.place()) > 0) {
			covered = w
		}
	}
	return covered
}

// checkLooks checks that no look into the view, at least as fresh as a token, is older
// than that: the view has what the last write has left that the token covers, unless
// another came after it, and has nothing that this one replaced.
func checkLooks(deeds []*deed) error {
	for _, look := range deeds {
		if look.verb != lookAtLeast {
			continue
		}
		covered := coveredBy(deeds, look.floor)
		if covered == nil {
			continue
		}
		at := slices.IndexFunc(deeds, func(d *deed) bool { return d.verb == put && d.value == look.sought })
		older := look.existed && at >= 0 && deeds[at].outcome == done && deeds[at].place().Compare(covered.place()) < 0 &&
			(covered.verb != remove || !mayHaveComeAfter(deeds, covered, look.sought))
		missing := !look.existed && covered.verb == put && covered.value == look.sought && !mayHaveBeenReplaced(deeds, covered, look)
		if older || missing {
			return fmt.Errorf("a view is older than its token: %v\nwhich covers %v\n%s", look, covered, listed(deeds))
		}
	}
	return nil
}

// place is where in the log of its owner a write stands that was done. Of a delete that was
// repeated it is where that was, so that the write itself may stand earlier.
func (d *deed) place() cairn.Stamp {
	if d.verb == put {
		return placeOf(d.version)
	}
	return cairn.Stamp{Epoch: d.token.Epoch, Index: indexOf(d.token)}
}

func placeOf(v cairn.Version) cairn.Stamp { return cairn.Stamp{Epoch: v.Epoch, Index: v.Index} }

// covers tells whether a token asks for all that another does.
func covers(token, other cairn.Token) bool {
	for _, c := range other.Clusters() {
		if token.Index(c.Cluster) < c.Index {
			return false
		}
	}
	return token.Epoch >= other.Epoch
}

// mayHaveComeAfter tells whether the write of a value may have come after a
// delete.
func mayHaveComeAfter(deeds []*deed, removed *deed, value int64) bool {
	return slices.ContainsFunc(deeds, func(d *deed) bool { return d.verb == put && d.value == value && d.end > removed.call })
}

// mayHaveBeenRemoved tells whether a delete may have taken effect after a write
// and before a read ended.
func mayHaveBeenRemoved(deeds []*deed, since, read *deed) bool {
	return slices.ContainsFunc(deeds, func(d *deed) bool {
		return d.verb == remove && d.call < read.end && d.end > since.call &&
			(d.outcome == unknown || d.outcome == done && d.place().Compare(since.place()) >= 0)
	})
}

// mayHaveBeenReplaced tells whether any other write may have taken effect after a put and
// before a look ended.
func mayHaveBeenReplaced(deeds []*deed, since, look *deed) bool {
	return slices.ContainsFunc(deeds, func(d *deed) bool {
		return d != since && d.writes() && d.call < look.end && d.end > since.call &&
			(d.outcome == unknown || d.outcome == done && d.place().Compare(since.place()) >= 0)
	})
}

// indexOf is the log index of the token of a write.
func indexOf(token cairn.Token) (index uint64) {
	for _, c := range token.Clusters() {
		index = max(index, c.Index)
	}
	return index
}

// TestHistoriesAreJudged checks the judge.
func TestHistoriesAreJudged(t *testing.T) {
	const s = time.Second
	at := func(index uint64) cairn.Token { return cairn.Token{}.With(1, cairn.Stamp{Epoch: 1, Index: index}) }
	wrote := func(value int64, call, end time.Duration, index uint64, existed bool) deed {
		return deed{verb: put, value: value, expects: anything, call: call, end: end, existed: existed, version: cairn.Version{Epoch: 1, Index: index}, token: at(index)}
	}
	read := func(value int64, call, end time.Duration, index uint64) deed {
		return deed{verb: readLatest, found: value, call: call, end: end, version: cairn.Version{Epoch: 1, Index: index}}
	}
	atLeast := func(floor uint64, value int64, index uint64) deed {
		return deed{verb: readAtLeast, floor: at(floor), found: value, version: cairn.Version{Epoch: 1, Index: index}, call: 9 * s, end: 10 * s, token: at(max(floor, index))}
	}
	look := func(value int64, seen bool, call, end time.Duration) deed {
		return deed{verb: lookLatest, sought: value, existed: seen, call: call, end: end}
	}
	lookAtLeast := func(floor uint64, value int64, seen bool) deed {
		return deed{verb: lookAtLeast, floor: at(floor), sought: value, existed: seen, call: 9 * s, end: 10 * s, token: at(floor)}
	}
	lost := deed{verb: put, value: 3, expects: anything, outcome: unknown, call: 2 * s, end: endless}
	for name, c := range map[string]struct {
		deeds []deed
		ok    bool
	}{
		"a read of what was written":    {[]deed{wrote(1, 0, s, 5, false), read(1, 2*s, 3*s, 5)}, true},
		"a read of nothing":             {[]deed{wrote(1, 0, s, 5, false), read(0, 2*s, 3*s, 0)}, false},
		"a read of what was replaced":   {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), read(1, 3*s, 4*s, 5)}, false},
		"reads that go back":            {[]deed{wrote(1, 0, s, 5, false), lost, read(3, 3*s, 4*s, 7), read(1, 5*s, 6*s, 5)}, false},
		"a write that came late":        {[]deed{wrote(1, 0, s, 5, false), lost, read(1, 3*s, 4*s, 5), read(3, 5*s, 6*s, 7)}, true},
		"a write that never came":       {[]deed{wrote(1, 0, s, 5, false), lost, read(1, 3*s, 4*s, 5)}, true},
		"a refusal without reason":      {[]deed{{verb: put, value: 1, expects: 0, outcome: refused, end: s}}, false},
		"a refusal with a reason":       {[]deed{wrote(1, 0, s, 5, false), {verb: put, value: 2, expects: 0, outcome: refused, call: 2 * s, end: 3 * s}}, true},
		"a condition that did not hold": {[]deed{wrote(1, 0, s, 5, false), {verb: put, value: 2, expects: 0, existed: true, call: 2 * s, end: 3 * s}}, false},
		"as fresh as its token":         {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), atLeast(6, 2, 6)}, true},
		"older than its token":          {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), atLeast(6, 1, 5)}, false},
		"as old as its token allows":    {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), atLeast(5, 1, 5)}, true},
		"nothing, in spite of a token":  {[]deed{wrote(1, 0, s, 5, false), atLeast(5, 0, 0)}, false},
		"a view of what was written":    {[]deed{wrote(1, 0, s, 5, false), look(1, true, 2*s, 3*s)}, true},
		"a view that lacks it":          {[]deed{wrote(1, 0, s, 5, false), look(1, false, 2*s, 3*s)}, false},
		"a view of what was replaced":   {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), look(1, true, 3*s, 4*s)}, false},
		"a view as fresh as its token":  {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), lookAtLeast(6, 2, true), lookAtLeast(6, 1, false)}, true},
		"a view older than its token":   {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), lookAtLeast(6, 1, true)}, false},
		"a view that lacks its token":   {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), lookAtLeast(6, 2, false)}, false},
		"a view that may be newer":      {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 6, true), lookAtLeast(5, 1, false)}, true},
		"a version of two values":       {[]deed{wrote(1, 0, s, 5, false), wrote(2, s, 2*s, 5, true)}, false},
	} {
		if err := (&history{deeds: c.deeds}).check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
