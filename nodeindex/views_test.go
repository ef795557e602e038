package nodeindex

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cairn"
	"cairn/nodeindex/durable"

	"github.com/RoaringBitmap/roaring/v2"
)

func TestViewsWhileWritesGoOn(t *testing.T) {
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeHash, 4)
	r.assign(a)
	for i := range 1000 {
		r.write(put(testKey(i), size(int64(i))))
	}
	a.Revision++
	a.Views = []cairn.View{{UID: 7, Name: "big", Keyspace: testKeyspace, Version: 1, Filter: "size >= 500", Sort: []cairn.SortField{{Attribute: 2}}}}
	r.assign(a)
	ask := func() (cairn.ViewReply, error) {
		var reply cairn.ViewReply
		err := r.x.AskView(askPage(a.Views[0], nil, 3), &reply)
		return reply, err
	}
	_, err := ask()
	wantError(t, err, cairn.KindUnavailable, "VIEW_BUILDING")
	if !r.x.CheckpointWanted() {
		t.Fatal("no checkpoint is wanted")
	}
	r.checkpoint()
	r.write(remove(testKey(500)), put(testKey(2000), size(501)))
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	reply, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range reply.Rows {
		got = append(got, string(row.Key))
	}
	if want := []string{testKey(501), testKey(2000), testKey(502)}; !slices.Equal(got, want) {
		t.Errorf("the first rows are %v, want %v", got, want)
	}
	if reply.Index != r.index || !reply.More {
		t.Errorf("the answer is of %d (more: %v), want %d", reply.Index, reply.More, r.index)
	}
}

// viewed is a replica with 1,000 entries of sizes 0 to 999, and views that are
// built.
func viewed(t *testing.T, a *cairn.Assignment, views ...cairn.View) *replica {
	t.Helper()
	r := openReplica(t, Options{ImageEntries: 100})
	for i := range views {
		views[i].Keyspace, views[i].UID, views[i].Version = testKeyspace, cairn.UID(i+1), 1
	}
	a.Views = views
	r.assign(*a)
	for i := range 1000 {
		r.write(put(testKey(i), size(int64(i)), name([]string{"ada", "bela", "chen"}[i%3])))
	}
	r.settle()
	return r
}

// settle writes a checkpoint and builds all views.
func (r *replica) settle() {
	r.t.Helper()
	r.checkpoint()
	if err := r.x.FillViews(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	for r.x.Work() {
	}
}

func (r *replica) ask(req cairn.ViewRequest) (cairn.ViewReply, error) {
	r.t.Helper()
	req.Keyspace, req.Level, req.Version = testKeyspace, cairn.Linearizable, 1
	if req.View == 0 {
		req.View = 1
	}
	var reply cairn.ViewReply
	err := r.x.AskView(&req, &reply)
	return reply, err
}

func (r *replica) mustAsk(req cairn.ViewRequest) cairn.ViewReply {
	r.t.Helper()
	reply, err := r.ask(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

func TestQuestions(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{Filter: "size >= 900", Sort: []cairn.SortField{{Attribute: 2, Descending: true}}})
	groups := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskGroups, Attributes: []cairn.AttributeID{1}}).Groups
	if len(groups) != 3 || groups[0].Count+groups[1].Count+groups[2].Count != 100 || groups[0].Values[0].Text() != "ada" {
		t.Errorf("groups by name: %v", groups)
	}
	all := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskAggregate, Attributes: []cairn.AttributeID{2}}).Aggregation
	if sum, err := all.Sum(); err != nil || all.Count != 100 || sum.Int() != 94950 || all.Min.Int() != 900 || all.Max.Int() != 999 {
		t.Errorf("aggregate of size: %+v, %v", all, err)
	}
	why := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskMembership, Key: cairn.Key(testKey(3))}).Membership
	if !why.Found || why.Member || why.Truth != "false" || len(why.Deciding) != 1 || why.Deciding[0].Value.Int() != 3 {
		t.Errorf("membership of size 3: %+v", why)
	}
	if why := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskMembership, Key: cairn.Key("nobody")}).Membership; why.Found || why.Member {
		t.Errorf("membership of nobody: %+v", why)
	}
	if n := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskCount, Where: `name == "ada"`}).Count; n != 34 && n != 33 {
		t.Errorf("counted %d", n)
	}
	for _, bad := range []struct {
		request cairn.ViewRequest
		kind    cairn.Kind
		reason  string
	}{
		{cairn.ViewRequest{Asked: cairn.AskCount, View: 9}, cairn.KindNotFound, "VIEW_VERSION_UNKNOWN"},
		{cairn.ViewRequest{Asked: cairn.AskCount, Where: "size >"}, cairn.KindInvalid, "FILTER_SYNTAX"},
		{cairn.ViewRequest{Asked: cairn.AskPage}, cairn.KindInvalid, "LIMIT_OUT_OF_RANGE"},
		{cairn.ViewRequest{}, cairn.KindInvalid, "QUESTION_UNKNOWN"},
		{cairn.ViewRequest{Asked: cairn.AskAggregate}, cairn.KindInvalid, "AGGREGATE_ATTRIBUTES"},
		{cairn.ViewRequest{Asked: cairn.AskGroups, Attributes: []cairn.AttributeID{77}}, cairn.KindInvalid, "ATTRIBUTE_UNKNOWN"},
	} {
		_, err := r.ask(bad.request)
		wantError(t, err, bad.kind, bad.reason)
	}
}

func TestExport(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{Filter: "size >= 900"})
	var encoded []byte
	var keys []string
	err := r.x.ExportView(&cairn.ExportRequest{Read: cairn.Read{Keyspace: testKeyspace}, View: 1, Version: 1}, func(piece cairn.ExportPiece) error {
		encoded = append(encoded, piece.Bitmap...)
		for _, key := range piece.Keys {
			keys = append(keys, string(key))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	members := roaring.New()
	if err := members.UnmarshalBinary(encoded); err != nil || members.Validate() != nil {
		t.Fatal(err, members.Validate())
	}
	if members.GetCardinality() != 100 || len(keys) != 100 {
		t.Errorf("%d members, %d keys; want 100", members.GetCardinality(), len(keys))
	}
	slices.Sort(keys)
	if keys[0] != testKey(900) || keys[99] != testKey(999) {
		t.Errorf("keys from %s to %s", keys[0], keys[99])
	}
}

// TestOtherAttributes changes which attributes are indexed under views that
// serve.
func TestOtherAttributes(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{Filter: "size >= 900"})
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "name", Type: cairn.TypeString, Unindexed: true},
		{ID: 2, Name: "size", Type: cairn.TypeInt},
		{ID: 4, Name: "weight", Type: cairn.TypeFloat},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Revision++
	a.Keyspaces[0].Schema = schema
	r.assign(a)
	if n := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskCount}).Count; n != 100 {
		t.Errorf("while it is built anew the view counts %d", n)
	}
	_, err = r.ask(cairn.ViewRequest{Asked: cairn.AskCount, Where: "weight > 1.0"})
	wantError(t, err, cairn.KindUnavailable, "VIEW_BUILDING")
	r.settle()
	if n := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskCount, Where: "!has(weight)"}).Count; n != 100 {
		t.Errorf("%d without weight", n)
	}
	// What has no index any more is read from the entries.
	if n := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskCount, Where: `name == "ada"`}).Count; n != 33 && n != 34 {
		t.Errorf("counted %d", n)
	}
	page := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskPage, Limit: 1, Fields: []cairn.AttributeID{1, 2}})
	if got := page.Rows[0].Attributes.String(); page.Rows[0].Key.String() != testKey(900) || got != attributes(size(900), name("ada")).String() {
		t.Errorf("the first row is %s %s", page.Rows[0].Key, got)
	}
}

// TestImages reopens an index whose views have an image: intact, then damaged.
func TestImages(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{Filter: "size >= 900"})
	if err := r.x.SaveViews(); err != nil {
		t.Fatal(err)
	}
	r.write(put(testKey(2000), size(2000)), remove(testKey(999)), put(testKey(0), size(950)))
	r.checkpoint()
	count := func() uint64 { return r.mustAsk(cairn.ViewRequest{Asked: cairn.AskCount}).Count }

	r.close()
	r.open(Options{ImageEntries: 100})
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 101 {
		t.Errorf("read from an image the view counts %d, want 101", n)
	}

	images, err := filepath.Glob(filepath.Join(r.dir, imagesFolder, "*"+imageSuffix))
	if err != nil || len(images) != 1 {
		t.Fatalf("images %v, %v", images, err)
	}
	data, err := os.ReadFile(images[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0x10
	r.close()
	if report, err := Check(r.dir); err != nil || report.Images != 1 {
		t.Errorf("check: %d images, %v", report.Images, err)
	}
	if err := os.WriteFile(images[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Check(r.dir)
	wantError(t, err, cairn.KindCorrupt, "CHECK_FAILED_IMAGE")
	if report.ProblemCount != 1 || !strings.Contains(report.Problems[0], images[0]) {
		t.Errorf("check: %v", report)
	}
	r.open(Options{ImageEntries: 100})
	wantError(t, r.x.FillViews(t.Context()), cairn.KindCorrupt, "IMAGE_CORRUPT")
	_, err = r.ask(cairn.ViewRequest{Asked: cairn.AskCount})
	wantError(t, err, cairn.KindUnavailable, "VIEW_BUILDING")
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 101 {
		t.Errorf("made from the entries the view counts %d, want 101", n)
	}
	r.checkpoint() // names no image
}

// TestCheckOfImages finds an image of another state, and does without one.
func TestCheckOfImages(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{Filter: "size >= 900"})
	images := func() string {
		t.Helper()
		if err := r.x.SaveViews(); err != nil {
			t.Fatal(err)
		}
		r.checkpoint()
		found, err := filepath.Glob(filepath.Join(r.dir, imagesFolder, "*"+imageSuffix))
		if err != nil || len(found) == 0 {
			t.Fatal(found, err)
		}
		return found[len(found)-1]
	}
	earlier := images()
	old, err := os.ReadFile(earlier)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		r.write(put(testKey(3000+i), size(1)))
	}
	later := images()
	r.close()
	if later == earlier {
		t.Fatal("no other image was written")
	}
	whole, err := os.ReadFile(later)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(later, old, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Check(r.dir)
	wantError(t, err, cairn.KindCorrupt, "CHECK_FAILED_IMAGE")
	if report.ProblemCount != 1 || !strings.Contains(report.Problems[0], "500 entries of keyspace") {
		t.Errorf("check of an earlier image: %v", report)
	}
	if _, _, err := Compact(durable.Disk{}, r.dir); err != nil { // which an image is no part of
		t.Errorf("compacted beside an earlier image: %v", err)
	}
	if err := os.WriteFile(later, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if report, err := Check(r.dir); err != nil || report.Images != 1 {
		t.Errorf("check: %v, %v", report, err)
	}
	if err := os.Remove(later); err != nil {
		t.Fatal(err)
	}
	if report, err := Check(r.dir); err != nil || report.Images != 0 || report.ImagesMissing != 1 {
		t.Errorf("check without the image: %v, %v", report, err)
	}
}
