# SPDX-License-Identifier: GPL-2.0-only
# The two forms of the work: patches/ with the new files beside them, and commits
# of a kernel git tree. patches/ has a directory for each series; patches/series
# lists them in order as "series/patch". In the tree a trailer that is not in the
# patch says which series a commit is of.
# shellcheck shell=bash disable=SC2034,SC2154

linux=$build/linux

# The "project-path kernel-path" pairs that the commit message on stdin names.
new_files()
{
	git interpret-trailers --parse --no-divider |
		sed -n 's/^New-file:[[:space:]]*//p' |
		awk '{ print $1, (NF > 1 ? $2 : $1) }'
}

# read_mail PATCH DIR: its author in $author, $email and $date, its message in
# DIR/message, its diff in DIR/diff.
read_mail()
{
	git mailinfo -b --encoding=UTF-8 "$2/body" "$2/diff" <"$1" >"$2/info"
	author=$(sed -n 's/^Author: //p' "$2/info")
	email=$(sed -n 's/^Email: //p' "$2/info")
	date=$(sed -n 's/^Date: //p' "$2/info")
	{
		sed -n 's/^Subject: //p' "$2/info"
		echo
		cat "$2/body"
	} | git stripspace >"$2/message"
}

# in_series: the patches of all series, in order
in_series()
{
	[ ! -f "$top/patches/series" ] ||
		sed '/^#/d; /^$/d' "$top/patches/series"
}

# patches_of SERIES...: those of some, in order
patches_of()
{
	local wanted=" $* " patch

	in_series | while read -r patch; do
		[[ $wanted != *" ${patch%%/*} "* ]] || say "$patch"
	done
}

# all_series: their names, in order
all_series()
{
	in_series | sed 's,/.*,,' | uniq
}

# needs SERIES: the series that have to be below it, in order
needs()
{
	[ ! -f "$top/patches/needs" ] || sed -n "s/^$1:[[:space:]]*//p" "$top/patches/needs"
}

# patch_files DIR: the kernel's that are in it, patches/ or what export has written
patch_files()
{
	(cd "$1" && find . -name qemu -prune -o -name '*.patch' -print | sed 's,^\./,,' | sort) 2>/dev/null
}

# touches REPO A B FILTER: the paths that differ, of the kind in FILTER
touches()
{
	git -C "$1" diff-tree -r --no-renames --name-only --diff-filter="$4" "$2" "$3"
}

# kernel_files: the new kernel files that are here
kernel_files()
{
	local dir

	cd "$top" || return
	for dir in drivers include kunit linux; do
		[ ! -d $dir ] || find $dir -name '*.[chS]' -o -path 'linux/*' -type f
	done | sort
}
