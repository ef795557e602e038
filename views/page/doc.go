// Package page is what paging over a sorted view needs wherever it is done,
// inside one node index or across many: cursors, the comparison of rows, and
// the merging of sorted sources. It holds no state and knows no transport.
//
// A Cursor is the position after a row: the row's sort values and key, bound
// to one version of one view and to one query. It also carries what the pages
// share: the time that the condition means by now, and how fresh the page
// before was, so that none goes back in time. No server remembers it, so it
// outlives restarts and moves. Cursor.String writes it, Parse reads it, and
// Cursor.Check refuses it for any other query.
//
// Rows are ordered by their sort values as a Sort says, an absent value after
// all others in either direction, and by key where all values are equal. That
// order is total and the same in every cluster. Merge joins sources that are
// sorted so, and stops where one of them has to be asked for more.
package page
