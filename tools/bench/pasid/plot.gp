# SPDX-License-Identifier: GPL-2.0-only
#
# After tools/report/style.gp. data: pasid.dat (kernel what PASIDs value); what: bytes or calls

series(kernel, what) = sprintf("<awk '$1 == \"%s\" && $2 == \"%s\"' '%s'", kernel, what, data)

eval canvas(620, 360)
set logscale x
set xrange [500:2e6]
set format x "%.0s%c"
set xlabel "PASIDs attached"
set yrange [0:*]
set key outside top horizontal left

if (what eq "bytes") {
	set ylabel "bytes of slab memory for each PASID"
	plot series("base", "slab") using 3:4 with linespoints pt 5 lw 2 lc rgb base title "unpatched", \
	     series("patched", "slab") using 3:4 with linespoints pt 7 lw 2 lc rgb patched title "patched", \
	     series("patched", "cgroup") using 3:4 with linespoints pt 6 dashtype 2 lw 2 lc rgb third \
		title "patched, charged to the cgroup"
} else {
	set ylabel "instructions for each call"
	points(call) = call eq "attach" ? 5 : call eq "replace" ? 7 : 9
	plot for [call in "attach replace detach"] series("base", call) using 3:4 with linespoints \
		pt points(call) lw 2 lc rgb base title "unpatched ".call, \
	     for [call in "attach replace detach"] series("patched", call) using 3:4 with linespoints \
		pt points(call) lw 2 lc rgb patched title "patched ".call
}
