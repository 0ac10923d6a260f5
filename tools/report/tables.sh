# SPDX-License-Identifier: GPL-2.0-only
# The tables, as the targets print them.
# shellcheck shell=bash

# table FILE TARGET COMMAND...: what the command prints of the run that has left FILE
table()
{
	local file=$1 target=$2 rc=0
	shift 2

	if [ ! -f "$file" ]; then
		missing "Not run yet" "$target"
		return
	fi
	"$@" >"$tmp/table" 2>"$tmp/error" || rc=$?
	say "<p class=\"when\">Run at $(when "$file"), by <code>make $target</code>.</p>"
	[ ! -s "$tmp/table" ] || say "<div class=\"wide\" tabindex=\"0\"><pre>$(escape <"$tmp/table")</pre></div>"
	[ $rc -eq 0 ] || missing "Not as expected. $(tail -n 1 "$tmp/error")" "$target"
}

# The rows of all, or else those that make check boots
table_vmm()
{
	if has_rows vmm-all || ! has_rows vmm; then
		table "$results/vmm-all.ktap" vmm "$top/scripts/vmm-table"
		return
	fi
	table "$results/vmm.ktap" check "$top/scripts/vmm-table" vmm
	missing "Only the rows that make check runs. All of them" vmm
}

has_rows()
{
	grep -qs '^# row ' "$results/$1.ktap"
}

part_table()
{
	case $1 in
	demo) table "$build/demo/ktap" demo "$build/tools/e2e-table" demo "$build/demo" ;;
	bench) table "$build/bench/ktap" bench-vmid "$build/tools/e2e-table" bench "$build/bench" ;;
	pasid) table "$build/report/pasid.txt" bench-pasid cat "$build/report/pasid.txt" ;;
	vmm) table_vmm ;;
	esac
}
