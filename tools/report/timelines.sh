# SPDX-License-Identifier: GPL-2.0-only
# What happened in a case of the end-to-end test, by its trace.
# shellcheck shell=bash

# verdict CASE CONSOLE: what init reported
verdict()
{
	if grep -q "^ok [0-9]* $1\$" "$2"; then
		say passed
	else
		say '<strong class="bad">did not pass</strong>'
	fi
}

# timeline KERNEL ENTRY CASE SCRIPT [FIRST [MAX]]
timeline()
{
	local kernel=$1 entry=$2 case=$3 script=$4 dir=$build/e2e/$2.$1 name
	shift 4

	case $kernel in
	base) name=Unpatched ;;
	patched) name=Patched ;;
	esac
	if [ ! -f "$dir/trace.log" ]; then
		missing "$name: not run yet" e2e
		return
	fi
	say "<p class=\"when\"><b class=\"$kernel\">$name</b>: case <code>$case</code> in" \
		"<code>$entry</code> $(verdict "$case" "$dir/console.log")," \
		"run at $(when "$dir/trace.log").</p>"
	if ! "$build/tools/e2e-events" "$dir/console.log" "$dir/trace.log" "$case" "$@" \
		>"$tmp/events" 2>"$tmp/error"; then
		missing "$name: no timeline. $(tail -n 1 "$tmp/error")" e2e
		return
	fi
	awk -f "$room/lanes.awk" "$tmp/events" >"$tmp/lanes"
	plot "$name: case $case in $entry" "$room/$script.gp" data="$tmp/lanes" kernel="$kernel"
}

# timeline ENTRY CASE SCRIPT [FIRST [MAX]]: of both kernels
part_timeline()
{
	local kernel

	for kernel in base patched; do
		timeline "$kernel" "$@"
	done
}
