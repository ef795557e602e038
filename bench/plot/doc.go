// Package plot draws lines over rounds or time as SVG: a grid of small charts
// with one legend, for pages that show more than a table can. It knows no more
// than that; who needs histograms takes a library.
package plot
