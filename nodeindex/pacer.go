package nodeindex

import (
	"runtime"
	"time"
)

// pacer has work that goes on for long let others have the processor. What waits for
// the network is only looked for when a processor has nothing to do: where long work
// has the only one, each message of a write would wait until its turn of ten
// milliseconds is over. The zero pacer is ready.
type pacer struct {
	steps   int
	resumed time.Time
}

const (
	// pacedSteps is how many steps there are between looks at the clock.
	pacedSteps = 16
	// After so much work comes a rest, which is as long as a timer takes.
	workTime = time.Millisecond
	restTime = 20 * time.Microsecond
	// turns is how often all others who can run do, after the rest: they wake each
	// other.
	turns = 8
)

// step is called after each step of the work, of which a thousand take no longer than
// step is called after each step of the work, each of which takes some microseconds.
func (p *pacer) step() {
	if p.steps++; p.steps%pacedSteps != 0 || time.Since(p.resumed) < workTime {
		return
	}
	time.Sleep(restTime)
	for range turns {
		runtime.Gosched()
	}
	p.resumed = time.Now()
}
