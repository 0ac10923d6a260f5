# SPDX-License-Identifier: GPL-2.0-only
#
# data: lines of "NAME" UNPATCHED PATCHED, drawn as two bars each; unit: what they are

rows = int(system(sprintf("wc -l <'%s'", data)))

eval canvas(760, 46 * rows + 90)
set lmargin at screen 0.36
set rmargin at screen 0.92
set bmargin 3.2
set tmargin 2
set border 2
set xrange [0:*]
set yrange [-rows + 0.5:0.5]
set ytics scale 0 ()
set xtics scale 0
set grid xtics noytics
set xlabel unit
set key outside top horizontal left reverse Left width 2

plot data using (0):(-$0 + 0.2):(0):2:(-$0 + 0.04):(-$0 + 0.36):ytic(1) with boxxyerror \
	fillcolor rgb base fs solid noborder title "unpatched", \
     "" using (0):(-$0 - 0.2):(0):3:(-$0 - 0.36):(-$0 - 0.04) with boxxyerror \
	fillcolor rgb patched fs solid noborder title "patched", \
     "" using 2:(-$0 + 0.2):(sprintf("%g", $2)) with labels left offset 0.5,0 notitle, \
     "" using 3:(-$0 - 0.2):(sprintf("%g", $3)) with labels left offset 0.5,0 notitle
