package etcdstore

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
	"cairn/shardmap"
)

// commitTimeout bounds a commit whose caller gave no deadline.
const commitTimeout = 30 * time.Second

// committer numbers a Store's commits in a key of its own, which every
// transaction compares and puts. So an attempt that was given up can't land
// after a later one, and one that landed without an answer is recognised by
// the attempt after it: in the branch of a compare-and-swap, not by a read
// beside it.
type committer struct {
	name     cairn.UID
	turn     chan struct{} // holds one value: whose turn it is
	revision uint64        // of the key, as far as known; for whose turn it is
}

// committed is the committer's record.
type committed struct {
	// Attempt names the last transaction that was tried.
	Attempt cairn.UID `json:"attempt"`
	// Time is when, for the sweep, in seconds since 1970.
	Time int64 `json:"time"`
	// Sent is when exactly, in microseconds, of a transaction that takes effect.
	Sent int64 `json:"sent,omitempty"`
}

// Commit makes a change in etcd, as a whole or not at all, and returns the
// revision at which it took effect: Wait for it to see it in a Map.
//
// KindConflict: something it compares has changed, nothing was done; decide
// anew on a newer Map. KindExhausted: too big for one transaction, or etcd is
// out of space; nothing was done. KindUnavailable: etcd did not answer
// before anything was tried. KindUnknown (OUTCOME_UNKNOWN): ctx ended without an answer;
// it may have taken effect or, until the next Commit, still do.
func (s *Store) Commit(ctx context.Context, change shardmap.Change) (revision uint64, err error) {
	if change.Empty() {
		return s.Map().Revision(), nil
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commitTimeout)
		defer cancel()
	}
	select {
	case s.committer.turn <- struct{}{}:
		defer func() { <-s.committer.turn }()
	case <-ctx.Done():
		return 0, cairn.Errorf(cairn.KindDeadline, "COMMIT_TIMEOUT", "another commit is under way, and the time is up")
	}
	t, err := s.transaction(ctx, change)
	if err != nil {
		return 0, err
	}
	if len(t.staged) > 0 {
		finish, err := s.stage(ctx, t)
		if err != nil {
			return 0, err
		}
		defer func() { finish(err) }()
	}
	return s.attempt(ctx, t)
}

// attempt tries a transaction until its outcome is known.
func (s *Store) attempt(ctx context.Context, t *transaction) (uint64, error) {
	attempt := cairn.NewUID()
	pause := newBackoff(s.config.RetryEvery)
	for {
		response, err := s.try(ctx, t, attempt)
		switch {
		case err == nil && response.Succeeded:
			s.committer.revision = uint64(response.Header.Revision)
			return s.committer.revision, nil
		case err == nil:
			before := s.committer.revision
			s.committer.revision = uint64(response.Header.Revision)
			found := response.Responses[0].GetResponseRange().Kvs
			var last committed
			var at uint64
			if len(found) > 0 {
				at = uint64(found[0].ModRevision)
				_ = json.Unmarshal(found[0].Value, &last) // what can't be read is not this attempt's
			}
			if last.Attempt == attempt {
				return at, nil
			}
			if at == before {
				return 0, t.conflict(response)
			}
			// Only the committer's own key may have differed: this Store did not
			// know how its last commit ended. Now it does.
			continue
		case isDefinite(err):
			return 0, s.commitError(err, t)
		}
		pause.wait(ctx)
		if ctx.Err() != nil {
			return 0, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN",
				"etcd at %v did not say whether the change took effect: %w; look at what stands before trying again", s.client.Endpoints(), err)
		}
	}
}

func (s *Store) try(ctx context.Context, t *transaction, attempt cairn.UID) (*clientv3.TxnResponse, error) {
	key := s.config.Prefix + committersFolder + s.committer.name.String()
	now := s.config.Now()
	value, err := json.Marshal(committed{attempt, now.Unix(), now.UnixMicro()})
	if err != nil {
		return nil, err
	}
	put := clientv3.OpPut(key, string(value))
	// A put without an attempt: this one is over, whatever comes late.
	over, err := json.Marshal(committed{Time: now.Unix()})
	if err != nil {
		return nil, err
	}
	compares := append([]clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", int64(s.committer.revision))}, t.compares...)
	then := append([]clientv3.Op{put}, t.ops...)
	otherwise := append([]clientv3.Op{clientv3.OpGet(key), clientv3.OpPut(key, string(over))}, t.looks...)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.client.Txn(ctx).If(compares...).Then(then...).Else(otherwise...).Commit()
}

// conflict names what was not as expected, from the looks of the failed
// branch.
func (t *transaction) conflict(response *clientv3.TxnResponse) error {
	var changed []string
	for i, look := range t.looked {
		var now uint64
		if kvs := response.Responses[2+i].GetResponseRange().Kvs; len(kvs) > 0 {
			now = uint64(kvs[0].ModRevision)
		}
		if now != look.expected {
			changed = append(changed, look.name)
		}
	}
	what := "the catalog"
	if len(changed) > 0 {
		what = strings.Join(changed, ", ")
	}
	return cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "%s changed meanwhile; nothing was done: look again and retry", what)
}

// isDefinite tells the errors after which a transaction has certainly not
// taken effect, and will not.
func isDefinite(err error) bool {
	switch codeOf(err) {
	case codes.InvalidArgument, codes.ResourceExhausted, codes.FailedPrecondition, codes.Unauthenticated,
		codes.PermissionDenied, codes.Unimplemented, codes.OutOfRange, codes.NotFound:
		return true
	}
	return false
}

// codeOf is the status of an error of the client, which has types of its own
// for etcd's.
func codeOf(err error) codes.Code {
	if e, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return e.Code()
	}
	return status.Code(err)
}

func (s *Store) commitError(err error, t *transaction) error {
	if errors.Is(err, rpctypes.ErrRequestTooLarge) || errors.Is(err, rpctypes.ErrTooManyOps) {
		return cairn.Errorf(cairn.KindExhausted, "CHANGE_TOO_BIG", "a change of %d records is more than one transaction of etcd takes; make it in parts: %w", len(t.ops), err)
	}
	return s.etcdError("commit", err)
}

// forgetCommitter deletes the committer's key, as good as it can: the sweep
// deletes what is left.
func (s *Store) forgetCommitter() {
	if s.committer.revision == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	key := s.config.Prefix + committersFolder + s.committer.name.String()
	_, _ = s.client.Delete(ctx, key)
}
