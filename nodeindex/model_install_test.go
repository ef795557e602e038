package nodeindex

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"pgregory.net/rapid"
)

// Install has the index go on from the snapshot of another replica, which has
// applied a bit more.
func (m *machine) Install(t *rapid.T) {
	behind := m.x
	ahead, err := Open(m.newDir(t), m.options)
	expect(t, err == nil, "open: %v", err)
	ahead.db.NoSync = true
	for i, command := range m.log {
		ahead.Apply(uint64(i+1), 1, command)
	}
	m.x = ahead
	for range rapid.IntRange(1, 3).Draw(t, "ahead") {
		if rapid.IntRange(0, 3).Draw(t, "assign") == 0 {
			m.Assign(t)
		} else {
			m.Write(t)
		}
	}
	m.checkpoint(t)
	path := filepath.Join(ahead.dir, "snapshot")
	written, err := ahead.WriteSnapshot(path)
	expect(t, err == nil, "write snapshot: %v", err)
	expect(t, ahead.Close() == nil, "close")
	m.x = behind

	content, err := os.ReadFile(path)
	expect(t, err == nil && int64(len(content)) == written.Bytes, "%d bytes of %d: %v", len(content), written.Bytes, err)
	expect(t, os.RemoveAll(ahead.dir) == nil, "remove")
	in, err := behind.Receive()
	expect(t, err == nil, "receive: %v", err)
	for chunk := rapid.SampledFrom([]int{1000, 4096, 1 << 20}).Draw(t, "chunk"); len(content) > 0; {
		n := min(chunk, len(content))
		_, err := in.Write(content[:n])
		expect(t, err == nil, "receive: %v", err)
		content = content[n:]
	}
	meta, err := in.Finish()
	expect(t, err == nil && meta.Index == uint64(len(m.log)), "received %+v: %v", meta, err)
	expect(t, behind.Install(in) == nil, "install")
	behind.db.NoSync = true
	if m.frozen != nil {
		index, term := m.frozen.Position()
		err := m.frozen.Write(CheckpointMeta{Index: index, Term: term})
		expect(t, errors.Is(err, errSuperseded), "a checkpoint after an install: %v", err)
		m.frozen = nil
	}
	installed := behind.Checkpointed()
	expect(t, installed.Installed && installed.Index == written.Index && bytes.Equal(installed.Configuration, written.Configuration), "installed %+v, written %+v", installed, written)
}
