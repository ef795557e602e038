package server

// Enter is Admission.enter.
func Enter(a *Admission, name string, things int) (func(), error) { return a.enter(name, things) }

// Callers is how many callers an Admission remembers.
func Callers(a *Admission) int { return len(a.callers) }
