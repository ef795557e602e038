// Package progress shows on a terminal how far something is, on one line that
// is drawn over and over and wiped at the end, so that nothing of it is left
// among the output.
package progress
