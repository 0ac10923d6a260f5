# SPDX-License-Identifier: GPL-2.0-only
#
# Reads pasid.dat (kernel what PASIDs value), writes SVG to its output

set terminal svg size 1000,420 background "white"
set multiplot layout 1,2
set logscale x
set xrange [500:2e6]
set xlabel "PASIDs attached"
set key outside below maxrows 3
set grid

series(kernel, what) = sprintf("<awk '$1 == \"%s\" && $2 == \"%s\"' pasid.dat", kernel, what)

set title "Memory for each PASID"
set ylabel "bytes"
set yrange [0:*]
plot series("base", "slab") using 3:4 with linespoints title "base", \
     series("patched", "slab") using 3:4 with linespoints title "patched", \
     series("patched", "cgroup") using 3:4 with linespoints title "patched, in the cgroup"

set title "Instructions for each call"
set ylabel "instructions"
plot for [what in "attach replace detach"] \
	series("base", what) using 3:4 with linespoints dashtype 2 title "base ".what, \
     for [what in "attach replace detach"] \
	series("patched", what) using 3:4 with linespoints title "patched ".what
unset multiplot
