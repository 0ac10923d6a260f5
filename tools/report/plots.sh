# SPDX-License-Identifier: GPL-2.0-only
# The plots: gnuplot's SVGs, inlined.
# shellcheck shell=bash

plots=0

# inline TITLE: $tmp/svg as a part of the page, on which an id may be there only once. It is not
# shown larger than it was drawn, nor so small that nobody can read it. What is black or grey gets
# the page's colours, by names that style.css knows.
inline()
{
	local title width

	title=$(text "$1" | sed 's/[&,\\]/\\&/g')
	width=$(sed -n 's/^ viewBox="0 0 \([0-9]*\) .*/\1/p' "$tmp/svg")
	plots=$((plots + 1))
	say '<div class="wide" tabindex="0">'
	sed -e '/^<?xml/d; /^<desc>/d; /^ xmlns:xlink=/d; s/xlink:href/href/g' \
		-e "s/^ viewBox=.*/& role=\"img\" style=\"min-width: $((width * 7 / 10))px; max-width: ${width}px\"/" \
		-e "s,<title>.*</title>,<title>$title</title>," \
		-e "s/\\bid=[\"']/&p$plots-/g; s/href='#/&p$plots-/g; s/url(#/&p$plots-/g" \
		-e 's/rgb( *0, *0, *0)/black/g; s/rgb(190, 190, 190)/gray/g' "$tmp/svg"
	say '</div>'
}

# plot TITLE SCRIPT NAME=STRING...
plot()
{
	local title=$1 script=$2 word set=
	shift 2

	for word; do
		set+="${word%%=*} = '${word#*=}'; "
	done
	gnuplot -e "$set" "$room/style.gp" "$script" >"$tmp/svg" 2>"$tmp/error" ||
		die "no plot '$title': $(grep . "$tmp/error" | tail -n 1)"
	inline "$title"
}

# bars TITLE UNIT TARGET: of lines of "NAME" UNPATCHED PATCHED in $tmp/bars
bars()
{
	if [ ! -s "$tmp/bars" ]; then
		missing "No plot without the numbers of both kernels" "$3"
		return
	fi
	plot "$1" "$room/bars.gp" data="$tmp/bars" unit="$2"
}

# Nothing if it has not run
e2e_table()
{
	"$build/tools/e2e-table" "$1" "$build/$1" 2>/dev/null || true
}

invalidation_bars()
{
	e2e_table demo | awk '
		function row(name) { printf "\"%s\" %d %d\n", name, $(NF - 1), $NF }
		/^  exit to the VMM/ { row("exit to the VMM and back") }
		/^  IOMMU_HWPT_INVALIDATE/ { row("ioctl IOMMU_HWPT_INVALIDATE") }
		/^An invalidation that reaches/ { row("one that reaches the device") }'
}

# The column of each kernel that is computed for a guest, on CPUs with range TLBIs
unmap_bars()
{
	e2e_table bench | awk -F ' *[|] *' '
		$2 == "unpatched" && $1 != "" { ranges = $1 !~ /no ranges/ }
		NF == 4 && $2 ~ /^[0-9]/ && (ranges || $1 ~ /read/) {
			n = split($2, base, / +/)
			m = split($3, patched, / +/)
			printf "\"%s\" %s %s\n", $1, base[n], patched[m]
		}'
}

# Of the rows "base" and "ours-guest": nothing is patched, and all is
vmm_bars()
{
	{ grep -s '^# row ' "$results/vmm-all.ktap" || true; } | awk -F '[ |]+' '
		$3 == "base" { for (i = 9; i <= 14; i++) base[i] = $i }
		$3 == "ours-guest" { for (i = 9; i <= 14; i++) patched[i] = $i }
		END {
			if (!(9 in base) || !(9 in patched))
				exit
			split("exits to QEMU|accesses to the SMMU of the guest|" \
			      "commands to the SMMU of the guest|ioctls of QEMU|" \
			      "commands to the SMMU of the host|writes to the SMMU of the host", name, "|")
			for (i = 9; i <= 14; i++)
				printf "\"%s\" %s %s\n", name[i - 8], base[i], patched[i]
		}'
}

part_bars()
{
	"$1_bars" >"$tmp/bars"
	case $1 in
	invalidation) bars "What one invalidation by a guest costs" instructions demo ;;
	unmap) bars "What an unmap in a guest costs" instructions bench-vmid ;;
	vmm) bars "What an unmap by a Linux guest asks for" "for each unmap" vmm ;;
	esac
}

part_pasid()
{
	local data=$build/report/pasid/pasid.dat

	[ -s "$data" ] || return 0
	plot "PASIDs: $1" "$top/tools/bench/pasid/plot.gp" data="$data" what="$1"
}
