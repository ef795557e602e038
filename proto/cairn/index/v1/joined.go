package indexv1

import "google.golang.org/protobuf/proto"

// JoinedBytes is about how large messages may become by being joined. One that
// is larger by itself travels alone.
const JoinedBytes = 64 << 10

// Joint is a message of a stream that may have others joined in it.
type Joint[M any] interface {
	*M
	proto.Message
	GetJoined() []*M
	carry(joined []*M)
}

func (x *LocateRequest) carry(joined []*LocateRequest)     { x.Joined = joined }
func (x *LocateResponse) carry(joined []*LocateResponse)   { x.Joined = joined }
func (x *WriteRequest) carry(joined []*WriteRequest)       { x.Joined = joined }
func (x *WriteResponse) carry(joined []*WriteResponse)     { x.Joined = joined }
func (x *AskViewRequest) carry(joined []*AskViewRequest)   { x.Joined = joined }
func (x *AskViewResponse) carry(joined []*AskViewResponse) { x.Joined = joined }

// Separate is the messages that came as one: those that are joined in it, or
// itself where there are none.
func Separate[M any, P Joint[M]](message P) []*M {
	if joined := message.GetJoined(); len(joined) > 0 {
		return joined
	}
	return []*M{message}
}

// SendJoined sends messages in their order, in as few as their sizes allow. It
// returns how many of them send took, which is all if it never failed. None of
// the messages is used once it has returned.
func SendJoined[M any, P Joint[M]](messages []*M, send func(*M) error) (sent int, err error) {
	for sent < len(messages) {
		n := fitting[M, P](messages[sent:])
		whole := messages[sent]
		if n > 1 {
			whole = new(M)
			P(whole).carry(messages[sent : sent+n])
		}
		if err := send(whole); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// fitting is how many of the messages travel together, at least one.
func fitting[M any, P Joint[M]](messages []*M) (n int) {
	if len(messages) == 1 {
		return 1
	}
	for bytes := 0; n < len(messages); n++ {
		if bytes += proto.Size(P(messages[n])); bytes > JoinedBytes && n > 0 {
			break
		}
	}
	return n
}
