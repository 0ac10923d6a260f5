# SPDX-License-Identifier: GPL-2.0-only
#
# What all plots share. Colours that can be told from a white ground and from a dark one; what is
# black or grey in the SVG becomes the page's own text colour, by style.css.

canvas(w, h) = sprintf("set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,13'", w, h)
base = "#d1741b"
patched = "#3584d6"
good = "#2b9459"
bad = "#d64545"
third = "#8e5bd0"

# only(FILE, WORD): the lines of FILE that begin with it
only(file, word) = sprintf("<awk '$1 == \"%s\"' '%s'", word, file)
set border 3
set tics nomirror
set grid
