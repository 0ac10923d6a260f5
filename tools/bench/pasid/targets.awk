# SPDX-License-Identifier: GPL-2.0-only
#
# Input: kernel what PASIDs value. KTAP; no value is a failure.

{ value[$1, $2, $3] = $4; if ($3 > most) most = $3; if (!least || $3 < least) least = $3 }

function check(title, have, limit) {
	ok = have != "" && have > 0 && have <= limit
	printf "%s %d %s: %s, at most %s\n", ok ? "ok" : "not ok", ++n, title,
	       have == "" ? "no value" : sprintf("%.2f", have), limit
	bad += !ok
}

function ratio(a, b) {
	return a != "" && b > 0 ? a / b : ""
}

END {
	print "KTAP version 1"
	print "1..9"
	check("bytes per PASID at " most, value["patched", "slab", most], 64)
	split("attach replace detach", ops)
	split("0.9 1.0 0.9", limits)
	for (i = 1; i <= 3; i++)
		check(ops[i] " against base",
		      ratio(value["patched", ops[i], most],
			    value["base", ops[i], most]), limits[i])
	for (i = 1; i <= 3; i++)
		check(ops[i] " at " most " against " least,
		      ratio(value["patched", ops[i], most],
			    value["patched", ops[i], least]), 1.1)
	check("reading them in debugfs, each, against an attach",
	      ratio(value["patched", "read", most],
		    value["patched", "attach", most]), 0.1)
	check("bytes that no cgroup is charged for",
	      ratio(value["patched", "slab", most],
		    value["patched", "cgroup", most]), 1.1)
	exit bad != 0
}
