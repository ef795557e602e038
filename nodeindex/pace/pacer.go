package pace

import (
	"runtime"
	"time"
)

// Pacer paces one piece of work, which one goroutine does. The zero Pacer is ready.
type Pacer struct {
	steps   int
	resumed time.Time
}

const (
	// stepsALook is how many steps there are between looks at the clock.
	stepsALook = 16
	// After so much work comes a rest, which is as long as a timer takes.
	workTime = time.Millisecond
	restTime = 20 * time.Microsecond
	// turns is how often all others who can run do, after the rest: they wake each
	// other, and a timer that is over goes before all who wait.
	turns = 8
)

// Step is called after each step of the work, if one takes some microseconds at most.
func (p *Pacer) Step() {
	if p.steps++; p.steps%stepsALook == 0 {
		p.Look()
	}
}

// Look is called after a step of any length.
func (p *Pacer) Look() {
	if time.Since(p.resumed) < workTime {
		return
	}
	time.Sleep(restTime)
	for range turns {
		runtime.Gosched()
	}
	p.resumed = time.Now()
}
