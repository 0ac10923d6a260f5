# SPDX-License-Identifier: GPL-2.0-only
#
# data: a file by lanes.awk; kernel: base or patched. A lane for each thing that happens to each
# device, over the order in which it happened.

range(n) = real(system(sprintf("awk '$1 == \"range\" { print $%d }' '%s'", n + 1, data)))
from = range(1)
to = range(2)
height = range(3)
colour = kernel eq "base" ? base : patched

eval canvas(980, 24 * (height + 4) + 55)
set lmargin at screen 0.14
set rmargin at screen 0.95
set tmargin 0.3
set bmargin 3.2
set border 1
set xrange [from - 0.5:to + 0.5]
set yrange [-height - 0.5:3.5]
set ytics scale 0 ()
unset grid
set xlabel "events of the case, in their order (a trace has no time)"
set key off

plot only(data, "step") using 2:(0.5):(0):(-height - 1) with vectors nohead lc rgb "gray", \
     "" using 2:(0.7):3 with labels left rotate by 35 font ",11", \
     only(data, "rollover") using 2:(0.5):(0):(-height - 1) with vectors nohead lw 2 lc rgb bad, \
     only(data, "lane") using (from):2:ytic(3) with points ps 0, \
     only(data, "bar") using 2:3:2:($2 + $4):($3 - 0.36):($3 + 0.36) \
	with boxxyerror fillcolor rgb colour fs transparent solid 0.3 border lc rgb colour, \
     "" using 2:3:5 with labels left offset 0.3,0 font ",12", \
     only(data, "entry") using 2:($3 - 0.3):(0):(0.6) with vectors nohead lw 2 lc rgb third, \
     only(data, "sync") using 2:($3 - 0.2):(0):(0.4) with vectors nohead lc rgb "black", \
     only(data, "tlb") using 2:($3 - 0.3):(0):(0.6) with vectors nohead lw 2 lc rgb third, \
     "" using 2:($3 + 0.5):4 with labels left rotate by 90 font ",11", \
     only(data, "heard") using 2:3 with points pt 9 lc rgb good, \
     "" using 2:($3 + 0.5):4 with labels left rotate by 90 font ",11", \
     only(data, "unheard") using 2:3 with points pt 8 lw 2 lc rgb bad, \
     "" using 2:($3 + 0.5):4 with labels left rotate by 90 font ",11", \
     only(data, "landed") using 2:3:4 with labels center tc rgb good font ",14", \
     only(data, "refused") using 2:3 with points pt 2 lw 2 lc rgb bad
