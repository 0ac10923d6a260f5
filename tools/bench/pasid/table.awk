# SPDX-License-Identifier: GPL-2.0-only
#
# Input: kernel what PASIDs value

{ value[$1, $2, $3] = $4; if (!($3 in seen)) { seen[$3]; num[++n] = $3 } }

function cell(v) {
	return v == "" ? "-" : sprintf("%.1f", v)
}

function row(what, title,	i, b, p) {
	for (i = 1; i <= n; i++) {
		b = value["base", what, num[i]]
		p = value["patched", what, num[i]]
		printf "%-28s %9d %10s %10s %7s\n", title, num[i], cell(b), cell(p),
		       (b > 0) ? sprintf("%.2f", p / b) : "-"
	}
}

END {
	printf "%-28s %9s %10s %10s %7s\n", "", "PASIDs", "base", "patched",
	       "ratio"
	row("slab", "bytes, slab")
	row("free", "bytes, less free memory")
	row("cgroup", "bytes, charged to cgroup")
	row("attach", "instructions, attach")
	row("replace", "instructions, replace")
	row("detach", "instructions, detach")
	row("read", "instructions, debugfs")
}
