package projection

import (
	"fmt"
	"slices"

	"cairn"
	"cairn/views"
	"cairn/views/filter"

	"github.com/RoaringBitmap/roaring/v2"
)

// Entries is how a question reads what is not in a snapshot: attributes
// without an index.
type Entries struct {
	// Least is the log index that a snapshot must be of at least, so that
	// Find can tell whether an entry has changed since.
	Least uint64
	// Find is a key's attributes and the log index of its last change, 0 if
	// that is not after Least; found is false if it has no entry now.
	Find func(key cairn.Key) (attributes cairn.Attributes, ordinal uint32, changed uint64, found bool)
	// Follows tells whether Find has all that was written up to now. Once it
	// does not, it never does again.
	Follows func() bool
	// Close ends the reading.
	Close func()
}

// conflictTries is how often a question whose entries changed while it read
// them begins again before it has writes wait for it.
const conflictTries = 3

// Ask answers a question. applied is the log index that the asker saw before;
// open begins to read entries. Besides what package views refuses:
// KindUnavailable (VIEW_BUILDING) for a version that is not complete,
// KindNotFound (VIEW_VERSION_UNKNOWN) for one that the log does not know,
// KindPrecondition (VIEW_REFUSED) for one that can't be built, and what open
// fails with.
func (p *Projection) Ask(applied uint64, req *cairn.ViewRequest, reply *cairn.ViewReply, open func() (Entries, error)) error {
	schema := p.declared.Load()
	where, err := p.condition(schema, req)
	if err != nil {
		return err
	}
	q := question{projection: p, request: req, reply: reply, schema: schema, where: where}
	if req.Brief && where != nil && !where.Plan().Exact() {
		return views.ErrLong
	}
	if !q.readsEntries() {
		return q.answer(p.Snapshot(applied, req.Index, req.Level))
	}
	for range conflictTries {
		conflict, err := q.tryReading(open, applied)
		if !conflict {
			return err
		}
	}
	// Entries that keep changing under it: with the lock held they do not.
	p.config.Lock.Lock()
	defer p.config.Lock.Unlock()
	entries, err := open()
	if err != nil {
		return err
	}
	defer entries.Close()
	q.entries = &entries
	return q.answer(p.snapshotLocked())
}

// question is one ViewRequest being answered.
type question struct {
	projection *Projection
	request    *cairn.ViewRequest
	reply      *cairn.ViewReply
	// schema is the keyspace's, as of which where was compiled.
	schema   *cairn.Schema
	where    *filter.Filter
	snapshot *Snapshot

	entries *Entries // nil if it needs none
	// conflict is set when an entry has changed after the snapshot.
	conflict bool
}

// tryReading answers with entries read beside the snapshot.
func (q *question) tryReading(open func() (Entries, error), applied uint64) (conflict bool, err error) {
	entries, err := open()
	if err != nil {
		return false, err
	}
	defer entries.Close()
	q.entries, q.conflict = &entries, false
	snapshot := q.projection.Snapshot(max(applied, entries.Least), max(q.request.Index, entries.Least), cairn.AtLeast)
	if !entries.Follows() {
		return true, nil // the snapshot may be of writes that Find does not see
	}
	err = q.answer(snapshot)
	return q.conflict, err
}

// find is a key's attributes as of the snapshot.
func (q *question) find(key cairn.Key) (attributes cairn.Attributes, ordinal uint32, found bool) {
	attributes, ordinal, changed, found := q.entries.Find(key)
	if changed > q.snapshot.Index {
		q.conflict = true
	}
	return attributes, ordinal, found
}

// answer answers from one snapshot.
func (q *question) answer(s *Snapshot) error {
	if s == nil {
		return q.projection.notServing(q.request.View, q.request.Version)
	}
	q.snapshot = s
	q.reply.Answer, q.reply.Fingerprint = s.Answer, s.Fingerprint
	if err := q.indexed(); err != nil {
		return err
	}
	var err error
	switch q.request.Asked {
	case cairn.AskPage:
		err = q.page()
	case cairn.AskCount:
		err = q.count()
	case cairn.AskGroups:
		err = q.groups()
	case cairn.AskAggregate:
		err = q.aggregate()
	case cairn.AskMembership:
		err = q.membership()
	case cairn.AskRank:
		err = q.rank()
	default:
		err = cairn.Invalid("asked", "QUESTION_UNKNOWN", "question %d is none of this version", q.request.Asked)
	}
	return q.projection.explained(q.request.View, q.request.Version, err)
}

// readsEntries tells whether the answer needs attributes without an index.
func (q *question) readsEntries() bool {
	if q.request.Asked == cairn.AskMembership || q.where != nil && !q.where.Plan().Exact() {
		return true
	}
	return q.request.Asked == cairn.AskPage && slices.ContainsFunc(q.request.Fields, func(id cairn.AttributeID) bool {
		spec, declared := q.schema.ByID(id)
		return declared && spec.Unindexed
	})
}

// indexed refuses a question about an attribute that is declared as indexed
// and not there yet.
func (q *question) indexed() error {
	ids := slices.Concat(q.request.Fields, q.request.Attributes)
	for _, field := range q.request.OrderBy {
		ids = append(ids, field.Attribute)
	}
	if q.where != nil {
		for _, spec := range q.where.Attributes() {
			ids = append(ids, spec.ID)
		}
	}
	for _, id := range ids {
		if spec, declared := q.schema.ByID(id); declared && !spec.Unindexed && !q.snapshot.has(id) {
			return cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "the index of attribute %s is being built", spec.Name)
		}
	}
	return nil
}

func (q *question) selection() views.Selection {
	sel := views.Selection{View: q.request.View, Version: q.request.Version, Where: q.where, Brief: q.request.Brief}
	if q.entries != nil {
		sel.Attributes = func(ordinal uint32) cairn.Attributes {
			attributes, _, _ := q.find(q.snapshot.Key(ordinal))
			return attributes
		}
	}
	return sel
}

func (q *question) count() error {
	count := q.snapshot.Count
	if q.request.View == 0 {
		count = q.snapshot.CountAll
	}
	n, err := count(q.selection())
	q.reply.Count = uint64(n)
	return err
}

func (q *question) rank() error {
	n, err := q.snapshot.Rank(views.Query{Selection: q.selection(), OrderBy: q.request.OrderBy, After: q.request.After})
	q.reply.Count = uint64(n)
	return err
}

func (q *question) groups() error {
	var err error
	q.reply.Groups, err = q.snapshot.GroupCount(q.selection(), q.request.Attributes...)
	return err
}

func (q *question) aggregate() error {
	if len(q.request.Attributes) != 1 {
		return cairn.Invalid("attribute", "AGGREGATE_ATTRIBUTES", "%d attributes; aggregate one", len(q.request.Attributes))
	}
	var err error
	q.reply.Aggregation, err = q.snapshot.Aggregate(q.selection(), q.request.Attributes[0])
	return err
}

func (q *question) membership() error {
	attributes, ordinal, found := q.find(q.request.Key)
	explanation, err := q.snapshot.Explain(q.request.View, q.request.Version, ordinal, attributes)
	if err != nil || !found {
		return err
	}
	out := cairn.Membership{Found: true, Member: explanation.Member}
	if why := explanation.Filter; why != nil {
		out.Truth = why.Truth.String()
		for _, d := range why.Deciding {
			out.Deciding = append(out.Deciding, cairn.Decision{
				Truth: d.Truth.String(), Text: d.Text, Line: d.Line, Column: d.Column, Attribute: d.Attribute.ID, Value: d.Value,
			})
		}
	}
	q.reply.Membership = out
	return nil
}

// Export is the members of a version of a view and the keys of ordinals, as
// views.Snapshot.Export has them, and the snapshot that they are of; see
// Snapshot. It is refused as Ask is.
func (p *Projection) Export(applied uint64, req *cairn.ExportRequest) (*Snapshot, *roaring.Bitmap, func(ordinal uint32) cairn.Key, error) {
	s := p.Snapshot(applied, req.Index, req.Level)
	if s == nil {
		return nil, nil, nil, p.notServing(req.View, req.Version)
	}
	members, key, err := s.Snapshot.Export(req.View, req.Version)
	return s, members, key, p.explained(req.View, req.Version, err)
}

// explained is a snapshot's error. That it does not know a version may have
// other reasons than that nobody does.
func (p *Projection) explained(view cairn.UID, version uint64, err error) error {
	if cairn.ReasonOf(err) == "VIEW_VERSION_UNKNOWN" {
		return p.notServing(view, version)
	}
	return err
}

// notServing is why a version of a view has no answer.
func (p *Projection) notServing(view cairn.UID, version uint64) error {
	p.config.Lock.Lock()
	defer p.config.Lock.Unlock()
	d := p.wants(view, version)
	switch {
	case d == nil && (view != 0 || len(p.wanted) == 0):
		return cairn.Errorf(cairn.KindNotFound, "VIEW_VERSION_UNKNOWN", "this index has no version %d of view %s", version, view)
	case d != nil && d.refusal != nil:
		return &cairn.Error{Kind: cairn.KindPrecondition, Reason: "VIEW_REFUSED", Err: fmt.Errorf("view %s can't be built: %w", d.Name, d.refusal)}
	case p.fill != nil:
		done, total := p.fill.Progress()
		return cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "the views are being made from the entries: %d of %d", done, total)
	}
	return cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "the view is being built")
}
