package page

// Source is sorted rows that come in batches.
type Source[Row any] interface {
	// Next is the next batch, in order and after the batch before. An empty
	// one ends the source. The rows are the source's: they stay valid until
	// the merge is over.
	Next() ([]Row, error)
}

// Merge is the first limit rows of several sorted sources in one order. It
// asks a source for its next batch only when the rows it has from it are used
// up and the page still needs more, and for none after the page is full; so a
// source whose first batch is enough is asked once. Rows that compare as
// equal come in the order of their sources.
//
// More tells whether there may be rows after these: it is false only if all
// sources have ended. An error of a source ends the merge and is returned as
// it is.
func Merge[Row any](compare func(a, b Row) int, limit int, sources []Source[Row]) (rows []Row, more bool, err error) {
	if limit <= 0 {
		return nil, len(sources) > 0, nil
	}
	m := merge[Row]{compare: compare, heap: make([]run[Row], 0, len(sources))}
	for number, source := range sources {
		batch, err := source.Next()
		if err != nil {
			return nil, false, err
		}
		if len(batch) > 0 {
			m.heap = append(m.heap, run[Row]{rows: batch, source: source, number: number})
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	for len(m.heap) > 0 {
		first := &m.heap[0]
		rows = append(rows, first.rows[0])
		first.rows = first.rows[1:]
		if len(rows) == limit {
			return rows, len(first.rows) > 0 || len(m.heap) > 1 || !ended(first.source), nil
		}
		if len(first.rows) == 0 {
			if first.rows, err = first.source.Next(); err != nil {
				return nil, false, err
			}
		}
		if len(first.rows) == 0 {
			last := len(m.heap) - 1
			m.heap[0] = m.heap[last]
			m.heap = m.heap[:last]
		}
		m.down(0)
	}
	return rows, false, nil
}

// Ender is a Source that knows, without being asked for it, that it has no
// further batch.
type Ender interface {
	Ended() bool
}

func ended(source any) bool {
	e, knows := source.(Ender)
	return knows && e.Ended()
}

// run is what is left of a source's present batch; never empty in the heap.
type run[Row any] struct {
	rows   []Row
	source Source[Row]
	number int
}

// merge is a binary heap of runs, the one with the first row on top.
type merge[Row any] struct {
	compare func(a, b Row) int
	heap    []run[Row]
}

func (m *merge[Row]) before(i, j int) bool {
	order := m.compare(m.heap[i].rows[0], m.heap[j].rows[0])
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
