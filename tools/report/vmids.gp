# SPDX-License-Identifier: GPL-2.0-only
#
# data: a file by lanes.awk; kernel: base or patched. The VMIDs over the order in which they were used.

range(n) = real(system(sprintf("awk '$1 == \"range\" { print $%d }' '%s'", n + 1, data)))
sid(n) = system(sprintf("awk '$1 == \"device\" && $2 == %d { print $3 }' '%s'", n, data))
bars(n) = sprintf("<awk '$1 == \"bar\" && $6 == %d' '%s'", n, data)
devices = int(system(sprintf("awk '$1 == \"bar\" && $6 > n { n = $6 } END { print n }' '%s'", data)))
from = range(1)
to = range(2)
colours = sprintf("%s %s %s", kernel eq "base" ? base : patched, third, "black")

eval canvas(980, 300)
set lmargin at screen 0.08
set rmargin at screen 0.97
set xrange [from - (to - from) * 0.04:to + (to - from) * 0.02]
set yrange [0:270]
set ytics 64
set xlabel "events of the case, in their order (a trace has no time)"
set ylabel "VMID"
set key outside top horizontal left

plot only(data, "rollover") using 2:(0):(0):(260) with vectors nohead lw 2 lc rgb bad title "rollover", \
     only(data, "heard") using 2:5 with points pt 9 ps 0.4 lc rgb good title "guests' TLBIs", \
     only(data, "unheard") using 2:5 with points pt 8 ps 0.4 lc rgb bad title "guests' TLBIs", \
     for [n=1:devices] bars(n) using 2:5:4:(0) with vectors nohead lw 4 \
	lc rgb word(colours, (n - 1) % 3 + 1) title "SMMU, device ".sid(n), \
     only(data, "single") using 2:3 with points pt 6 ps 1.2 lw 2 lc rgb "black" title "of the VM itself", \
     "" using 2:3:4 with labels center offset 0,0.9 notitle
