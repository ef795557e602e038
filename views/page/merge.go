package page

// Run is what is at hand of one sorted source.
type Run[Row any] struct {
	// Rows are in order, after all that the source had before.
	Rows []Row
	// More tells whether the source has rows after these.
	More bool
}

// Starved tells whether the source must be asked before a merge can go on.
func (r *Run[Row]) Starved() bool { return len(r.Rows) == 0 && r.More }

// Merge takes rows off the runs in one order and hands each to take, with the
// number of its run, until take refuses one, which stays where it is; until a
// run is starved; or until all are used up. Rows that compare as equal come in
// the order of their runs.
//
// It returns whether it stopped because of a starved run. The caller gives
// that one its next rows and merges on; so no source is asked for more than
// the page needs, and what to do where one can't be asked is the caller's.
func Merge[Row any](runs []*Run[Row], compare func(a, b *Row) int, take func(row *Row, run int) bool) (starved bool) {
	m := merge[Row]{compare: compare, heap: make([]numbered[Row], 0, len(runs))}
	for number, run := range runs {
		if run.Starved() {
			return true
		}
		if len(run.Rows) > 0 {
			m.heap = append(m.heap, numbered[Row]{run, number})
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	for len(m.heap) > 0 {
		first := m.heap[0]
		if !take(&first.Rows[0], first.number) {
			return false
		}
		if first.Rows = first.Rows[1:]; len(first.Rows) == 0 {
			if first.More {
				return true
			}
			last := len(m.heap) - 1
			m.heap[0] = m.heap[last]
			m.heap = m.heap[:last]
		}
		m.down(0)
	}
	return false
}

// numbered is a run of a merge; never empty in the heap.
type numbered[Row any] struct {
	*Run[Row]
	number int
}

// merge is a binary heap of runs, the one with the first row on top.
type merge[Row any] struct {
	compare func(a, b *Row) int
	heap    []numbered[Row]
}

func (m *merge[Row]) before(i, j int) bool {
	order := m.compare(&m.heap[i].Rows[0], &m.heap[j].Rows[0])
	return order < 0 || order == 0 && m.heap[i].number < m.heap[j].number
}

func (m *merge[Row]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heap); child++ {
			if m.before(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}
