package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cairn"
)

const fingerprintForm = "plan1"

// Fingerprint names exactly this plan: what it changes, and at which revisions
// stands what it was decided by. The same resources planned against the same
// records have the same fingerprint.
func (p *Plan) Fingerprint() string {
	var out strings.Builder
	out.WriteString(fingerprintForm)
	for _, t := range p.Touched {
		fmt.Fprintf(&out, ";%s@%d", t.Name, t.ModRevision)
	}
	text, err := json.Marshal(p.Changes)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	sum := sha256.Sum256(text)
	out.WriteString(";" + hex.EncodeToString(sum[:16]))
	return out.String()
}

// Touches tells whether the plan was decided by a record.
func (p *Plan) Touches(name string) bool {
	_, found := slices.BinarySearchFunc(p.Touched, name, func(t Touched, name string) int { return strings.Compare(t.Name, name) })
	return found
}

// Matches refuses to carry p out under the fingerprint of another plan
// (KindConflict, PLAN_CHANGED), naming what has changed since; KindInvalid if
// shown is no fingerprint at all. An empty one matches every plan.
func (p *Plan) Matches(shown string) error {
	if shown == "" || shown == p.Fingerprint() {
		return nil
	}
	parts := strings.Split(shown, ";")
	if len(parts) < 2 || parts[0] != fingerprintForm {
		return cairn.Invalid("plan", "PLAN_MALFORMED", "not a plan of this service; pass on what validate_only returned")
	}
	before := map[string]uint64{}
	for _, part := range parts[1 : len(parts)-1] {
		name, revision, found := strings.Cut(part, "@")
		n, err := strconv.ParseUint(revision, 10, 64)
		if !found || err != nil {
			return cairn.Invalid("plan", "PLAN_MALFORMED", "not a plan of this service; pass on what validate_only returned")
		}
		before[name] = n
	}
	var changed []string
	for _, t := range p.Touched {
		if revision, stood := before[t.Name]; !stood || revision != t.ModRevision {
			changed = append(changed, t.Name)
		}
	}
	if len(changed) == 0 {
		return cairn.Errorf(cairn.KindConflict, "PLAN_CHANGED", "the plan is of other resources than these; plan again")
	}
	return cairn.Errorf(cairn.KindConflict, "PLAN_CHANGED", "%s changed since the plan was shown; plan again", strings.Join(changed, ", "))
}
