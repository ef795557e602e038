package crashtest

import "testing"

// States are the different states that crashes leave.
type States struct {
	all []*state
	of  map[uint64]*state
}

type state struct {
	how  string
	tree Tree
	note int
}

// Add adds a state, and how it came to be.
func (s *States) Add(how string, tree Tree, note int) {
	sum := tree.Sum()
	if s.of[sum] == nil {
		if s.of == nil {
			s.of = make(map[uint64]*state)
		}
		s.of[sum] = &state{how: how, tree: tree}
		s.all = append(s.all, s.of[sum])
	}
	s.of[sum].note = max(s.of[sum].note, note)
}

// AddMoment adds what a kill leaves at a moment, and each of some losses of power.
func (s *States) AddMoment(m *Moment, seed uint64, losses ...Loss) {
	s.Add("killed "+m.Point.String(), m.Killed(), m.Note)
	for _, loss := range losses {
		s.Add("without power "+m.Point.String()+", there is "+loss.String(), m.Lost(loss, seed), m.Note)
	}
}

// Each has each of the states judged, in a directory of its own, with the highest
// note of the moments that leave it. Several are at a time.
func (s *States) Each(t *testing.T, judge func(t *testing.T, dir string, note int)) {
	s.EachAlone(t, func(t *testing.T, dir string, note int) {
		t.Parallel()
		judge(t, dir, note)
	})
}

// EachAlone is Each for one state at a time.
func (s *States) EachAlone(t *testing.T, judge func(t *testing.T, dir string, note int)) {
	for _, each := range s.all {
		t.Run(each.how, func(t *testing.T) {
			dir := t.TempDir()
			if err := each.tree.Write(dir); err != nil {
				t.Fatal(err)
			}
			judge(t, dir, each.note)
		})
	}
}
