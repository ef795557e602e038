package replica

import (
	"net"
	"time"
)

// askedConn is a connection that another replica asks through: it waits for the next
// message for as long as that takes, but not for the rest of one, as of a snapshot
// that is being sent. raft takes that in its main goroutine, and without a deadline:
// a sender that is gone without a word would keep this replica from all else. Its
// Read and Write are for one goroutine.
type askedConn struct {
	net.Conn
	patience time.Duration
	// within: something has been read since the last answer.
	within bool
}

// Read reads what comes next.
func (c *askedConn) Read(data []byte) (int, error) {
	var deadline time.Time // none
	if c.within {
		deadline = time.Now().Add(c.patience)
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(data)
	c.within = c.within || n > 0
	return n, err
}

// Write answers.
func (c *askedConn) Write(data []byte) (int, error) {
	c.within = false
	return c.Conn.Write(data)
}
