package fleet

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"cairn"
	fleetv1 "cairn/proto/cairn/fleet/v1"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/channel"
	"cairn/proto/rpcerr"
	"cairn/router"
)

// member is another router.
type member struct {
	address string
	options Options
	conn    *grpc.ClientConn
	client  fleetv1.FleetClient
	began   time.Time
	// until is when it may be asked again, since began.
	until atomic.Int64
}

// dial does not connect: the first question does.
func dial(address string, options Options) (*member, error) {
	dial := append([]grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(indexv1.MaxMessageBytes))}, options.Dial...)
	conn, err := channel.Dial(address, dial...)
	if err != nil {
		return nil, err
	}
	return &member{address: address, options: options, conn: conn, client: fleetv1.NewFleetClient(conn), began: time.Now()}, nil
}

func (m *member) close() {
	if err := m.conn.Close(); err != nil {
		m.options.Log.Warn("the connection to a router did not close cleanly", "address", m.address, "err", err)
	}
}

// rests tells whether the router did not answer a moment ago.
func (m *member) rests() bool { return time.Since(m.began) < time.Duration(m.until.Load()) }

// rest has the router not be asked for a while.
func (m *member) rest(why error) {
	m.options.Log.Warn("a router of the fleet does not answer", "address", m.address, "err", why)
	m.until.Store(int64(time.Since(m.began) + m.options.Rest))
}

// AnswerPart implements router.Member. It fails with the router's own error, and with
// KindUnavailable where the router does not answer, is silent for too long or says what
// can't be understood; it then rests.
func (m *member) AnswerPart(ctx context.Context, part *router.Part) (*cairn.ViewReply, error) {
	reply, err := m.ask(ctx, part)
	if err == nil {
		return reply, nil
	}
	if ctx.Err() == nil && !rpcerr.IsAnswer(err) {
		m.rest(err)
	}
	return nil, rpcerr.From(m.address, err)
}

// ask puts a part to the router and waits for its answer as long as it is not silent.
func (m *member) ask(ctx context.Context, part *router.Part) (*cairn.ViewReply, error) {
	ctx, hangUp := context.WithCancelCause(ctx)
	defer hangUp(nil)
	quiet := time.AfterFunc(m.options.Silence, func() {
		hangUp(m.lost("SILENT", errors.New("it has said nothing for "+m.options.Silence.String())))
	})
	defer quiet.Stop()
	stream, err := m.client.Ask(ctx, encodePart(part))
	for err == nil {
		var message *fleetv1.AskResponse
		if message, err = stream.Recv(); err != nil {
			break
		}
		if message.GetAnswer() == nil {
			quiet.Reset(m.options.Silence)
			continue
		}
		reply := new(cairn.ViewReply)
		if err := indexv1.DecodeAnswer(part.Asked, message.GetAnswer(), reply); err != nil {
			return nil, m.lost("RESPONSE_BROKEN", err)
		}
		return reply, nil
	}
	if lost, silent := errors.AsType[*cairn.Error](context.Cause(ctx)); silent {
		return nil, lost
	}
	if errors.Is(err, io.EOF) {
		return nil, m.lost("RESPONSE_BROKEN", errors.New("it has ended without an answer"))
	}
	return nil, err
}

func (m *member) lost(reason string, why error) *cairn.Error {
	return cairn.Errorf(cairn.KindUnavailable, reason, "router %s: %w", m.address, why)
}
