package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// lateTimeout bounds what a mover does that was held up.
const lateTimeout = 5 * time.Second

// tuneMover has a mover stop where the mischief says.
func (m mischief) tuneMover(config *move.Config) {
	if m == "" {
		return
	}
	config.Store = heldStore{config.Store, m}
	dial := config.Dial
	config.Dial = func(cluster *catalog.Cluster) (move.Index, func(), error) {
		index, release, err := dial(cluster)
		return heldIndex{index, m}, release, err
	}
}

// says tells whether the file has a word with a value.
func (m mischief) says(name, value string) bool {
	has, said := m.word(name)
	return said && has == value
}

// holdUp returns once the file does not say any more that movers stop there. It tells
// whether it did.
func (m mischief) holdUp(where string) (held bool) {
	for m.says("at", where) {
		if !held {
			m.note(heldNote + "at=" + where)
		}
		held = true
		time.Sleep(5 * time.Millisecond)
	}
	return held
}

// heldNote is how a process notes that it is held up, with the word that says so.
const heldNote = "held:"

// noted is a step that a mover began, or that it is held up.
type noted struct {
	at   time.Time
	pid  int
	what string
}

// note notes what this process does.
func (m mischief) note(what string) {
	file, err := os.OpenFile(m.notes(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(file, "%d %d %s\n", time.Now().UnixMicro(), os.Getpid(), what)
		file.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
}

// notes is the file of what was noted, beside that of the mischief.
func (m mischief) notes() string { return string(m) + ".notes" }

// noted is all that was noted after a time.
func (m mischief) noted(after time.Time) (all []noted) {
	content, _ := os.ReadFile(m.notes()) // there is none before the first
	for line := range strings.Lines(string(content)) {
		var n noted
		var micros int64
		if _, err := fmt.Sscan(line, &micros, &n.pid, &n.what); err != nil {
			continue // half a line, as a process that is killed leaves it
		}
		if n.at = time.UnixMicro(micros); n.at.After(after) {
			all = append(all, n)
		}
	}
	return all
}

// step makes a step of a mover. What was held up before it is done all the same, however
// late it is by then.
func (m mischief) step(ctx context.Context, name string, do func(context.Context) error) error {
	m.note(name)
	if m.holdUp("before:" + name) {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateTimeout)
		defer cancel()
		ctx = late
	}
	err := do(ctx)
	m.holdUp("after:" + name)
	return err
}

// heldStore is a store of a mover that is held up.
type heldStore struct {
	move.Store
	mischief mischief
}

func (s heldStore) Commit(ctx context.Context, change shardmap.Change) (revision uint64, err error) {
	name := "swap-to-" + change.Moves[0].Put.Phase.String()
	if s.mischief.says("late", name) {
		go s.commitLate(name, change)
		return 0, cairn.Errorf(cairn.KindUnknown, "LATE", "nothing is known of the transaction")
	}
	err = s.mischief.step(ctx, name, func(ctx context.Context) error {
		revision, err = s.Store.Commit(ctx, change)
		return err
	})
	if err == nil && s.mischief.says("lost", name) {
		s.mischief.note(heldNote + "lost=" + name)
		return 0, cairn.Errorf(cairn.KindUnknown, "LOST", "nothing is known of the transaction")
	}
	return revision, err
}

// commitLate makes a transaction when the file does not say any more that it is late.
func (s heldStore) commitLate(name string, change shardmap.Change) {
	s.mischief.note(heldNote + "late=" + name)
	for s.mischief.says("late", name) || s.mischief.says("later", name) {
		time.Sleep(5 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lateTimeout)
	defer cancel()
	revision, err := s.Store.Commit(ctx, change)
	fmt.Fprintf(os.Stderr, "late %s: revision %d, error %v\n", name, revision, err)
}

// heldIndex is an index as a mover asks it that is held up.
type heldIndex struct {
	move.Index
	mischief mischief
}

func (x heldIndex) CopyShard(ctx context.Context, s cairn.MovingShard, after []byte, deliver func(cairn.CopiedPart) error) error {
	return x.mischief.step(ctx, "copy", func(ctx context.Context) error { return x.Index.CopyShard(ctx, s, after, deliver) })
}

func (x heldIndex) TailShard(ctx context.Context, s cairn.MovingShard, after uint64) (part cairn.TailPart, err error) {
	err = x.mischief.step(ctx, "tail", func(ctx context.Context) error {
		part, err = x.Index.TailShard(ctx, s, after)
		return err
	})
	return part, err
}

func (x heldIndex) FenceShard(ctx context.Context, s cairn.MovingShard, number uint64, on bool) (state cairn.FenceState, err error) {
	name := "fence"
	if !on {
		name = "unfence"
	}
	err = x.mischief.step(ctx, name, func(ctx context.Context) error {
		state, err = x.Index.FenceShard(ctx, s, number, on)
		return err
	})
	return state, err
}

func (x heldIndex) FenceTail(ctx context.Context, s cairn.MovingShard, number, after uint64) (state cairn.FenceState, part cairn.TailPart, err error) {
	err = x.mischief.step(ctx, "fence", func(ctx context.Context) error {
		state, part, err = x.Index.FenceTail(ctx, s, number, after)
		return err
	})
	return state, part, err
}

func (x heldIndex) StageShard(ctx context.Context, s cairn.MovingShard, part []byte) (staged cairn.Staged, err error) {
	err = x.mischief.step(ctx, "stage", func(ctx context.Context) error {
		staged, err = x.Index.StageShard(ctx, s, part)
		return err
	})
	return staged, err
}

func (x heldIndex) StagedShard(ctx context.Context, s cairn.MovingShard) (staged cairn.Staged, err error) {
	err = x.mischief.step(ctx, "ask", func(ctx context.Context) error {
		staged, err = x.Index.StagedShard(ctx, s)
		return err
	})
	return staged, err
}

func (x heldIndex) DropShard(ctx context.Context, s cairn.MovingShard) error {
	return x.mischief.step(ctx, "drop", func(ctx context.Context) error { return x.Index.DropShard(ctx, s) })
}

func (x heldIndex) NoteRevision(ctx context.Context, revision uint64) error {
	return x.mischief.step(ctx, "note", func(ctx context.Context) error { return x.Index.NoteRevision(ctx, revision) })
}
