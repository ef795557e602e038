package move

import (
	"cmp"
	"slices"

	"cairn"
	"cairn/shardmap"
)

// PerCluster is how many moves a cluster takes part in at once if nobody says
// otherwise.
const PerCluster = 2

// Turns are the moves that may go on, given all of a Map, when no cluster is to
// take part in more than a number of them at once. Those that have begun go on;
// of those that wait, the oldest come first. One that is to be cancelled, and a
// finished one that left something behind, always may.
func Turns(moves []shardmap.Move, perCluster int) map[cairn.UID]bool {
	turns := make(map[cairn.UID]bool)
	busy := make(map[cairn.UID]int)
	take := func(m shardmap.Move) {
		if busy[m.From]++; m.To != m.From {
			busy[m.To]++
		}
	}
	var waiting []shardmap.Move
	for _, m := range moves {
		switch {
		case !m.Phase.Active():
			if !m.Clean {
				turns[m.UID] = true
			}
		case m.Phase == shardmap.MovePreparing && m.Attempt == 1 && !m.Cancel:
			waiting = append(waiting, m)
		default:
			turns[m.UID] = true
			take(m)
		}
	}
	slices.SortFunc(waiting, func(a, b shardmap.Move) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.UID, b.UID)) })
	for _, m := range waiting {
		if m.Paused || busy[m.From] >= perCluster || busy[m.To] >= perCluster {
			continue
		}
		turns[m.UID] = true
		take(m)
	}
	return turns
}
