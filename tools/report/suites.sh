# SPDX-License-Identifier: GPL-2.0-only
# What the suites have counted.
# shellcheck shell=bash

# Those of make check, and what else has left results
suites()
{
	local file

	{
		sed -n 's/^suites+\?=(\(.*\))$/\1/p' "$top/scripts/check" | tr ' ' '\n'
		for file in "$results"/*.ktap; do
			[ ! -f "$file" ] || basename "$file" .ktap
		done
	} | awk '!seen[$0]++'
}

suite_row()
{
	local name=$1 file=$results/$1.ktap

	if [ ! -f "$file" ]; then
		say "<tr class=\"missing\"><th>$name</th><td colspan=\"4\">not run yet:" \
			"<code>make check</code></td></tr>"
		return
	fi
	"$top/scripts/total" "$file" | escape >"$tmp/total" || true
	awk -v name="$name" -v when="$(when "$file")" '
		/^  / { what = what (what == "" ? "" : "<br/>") substr($0, 3); next }
		{
			printf "<tr%s><th>%s</th><td>%d</td><td>%d</td><td>%d</td>",
			       $4 ? " class=\"bad\"" : "", name, $2, $4, $6
			print "<td>" when "</td></tr>"
		}
		END {
			if (what != "")
				print "<tr class=\"bad\"><td colspan=\"5\">" what "</td></tr>"
		}' "$tmp/total"
}

part_suites()
{
	local name

	say '<div class="wide" tabindex="0"><table id="suites"><thead><tr><th>suite</th><th>passed</th>' \
		'<th>failed</th><th>skipped</th><th>run at</th></tr></thead><tbody>'
	suites | while read -r name; do
		suite_row "$name"
	done
	say '</tbody></table></div>'
}

# The sum of those that have run
part_total()
{
	local -a files=()
	local file

	for file in "$results"/*.ktap; do
		[ ! -f "$file" ] || files+=("$file")
	done
	if [ ${#files[@]} -eq 0 ]; then
		missing "No suite has run yet" check
		return
	fi
	{ "$top/scripts/total" "${files[@]}" || true; } | awk '
		/ passed, .* skipped$/ { n++; passed += $2; failed += $4; skipped += $6 }
		END {
			printf "<p id=\"total\"%s>%d suites: %d passed, %d failed, %d skipped</p>\n",
			       failed ? " class=\"bad\"" : "", n, passed, failed, skipped
		}'
}
