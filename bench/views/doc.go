// Package views is what is asked of views, and of whom: records, questions with
// random parameters, and Cairn as one that answers them. A peer, which answers
// the same questions from the same records, is measured beside it by
// bench/peers.
//
// Records have three enums, two ints, one of them a time, and a float. Three
// views are over them: "recent", 12.9 percent of all in order of the time,
// newest first; "rich", 0.34 percent, the largest balance first; and "all" in
// order of the float.
//
// No question is like the one before: pages begin behind positions drawn from
// all of a view, and conditions have constants drawn anew. What has no
// parameters, like the count of a view, is asked again and again, and answered
// anew each time: there is no cache of answers.
package views
