# SPDX-License-Identifier: GPL-2.0-only
# The two forms of the work: patches/ with the new files beside them, and commits
# of a kernel git tree. patches/ has a directory for each series; patches/series
# lists them in order as "series/patch". In the tree a trailer that is not in the
# patch says which series a commit is of.
#
# On another base a patch is merged. Where that gives a conflict, or what does not do
# there, a variant lies beside it, <patch>.7.2.patch for <patch>.patch: a diff on top of
# the merged files, in which the base has won each conflict. "Not-here: <file>" in it
# says that there is nothing to add to that.
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

# base_series: those that are kept for $for_base
base_series()
{
	if [ "$for_base" = "$main_base" ]; then
		all_series
	else
		sed -n "s/^$for_base:[[:space:]]*//p" "$top/patches/bases" | tr ' ' '\n'
	fi
}

# needs SERIES: the series that have to be below it, in order
needs()
{
	[ ! -f "$top/patches/needs" ] || sed -n "s/^$1:[[:space:]]*//p" "$top/patches/needs"
}

# patch_files DIR: the kernel's that are in it, patches/ or what export has written
patch_files()
{
	(cd "$1" && find . -name qemu -prune -o -name '*.patch' ! -name "*.$other_base.patch" \
		-print | sed 's,^\./,,' | sort) 2>/dev/null
}

# variant_of PATCH: where that for $for_base is, if there is one
variant_of()
{
	say "${1%.patch}.$for_base.patch"
}

variant_files()
{
	[ ! -d "$1" ] ||
		(cd "$1" && find . -name "*.$other_base.patch" | sed 's,^\./,,' | sort)
}

# diff_paths DIFF: the files in it, by the name that they get, and those that a variant
# leaves alone
diff_paths()
{
	sed -n 's,^diff --git a/.* b/,,p; s/^Not-here: //p' "$1"
}

# apply_to_index GIT-DIR DIFF OPTION...: to the index in $GIT_INDEX_FILE, exactly
apply_to_index()
{
	local git_dir=$1 diff=$2
	shift 2

	git --git-dir="$git_dir" apply --cached --whitespace=nowarn "$@" "$diff" 2>&1
}

# merge_file GIT-DIR DIFF PATH: apply what DIFF has for PATH, or merge it with what
# was changed there since the file that it was made for, which git has. Fails if they
# conflict: then the lines of the base are kept.
merge_file()
{
	local git_dir=$1 diff=$2 path=$3 mode ours before after merged

	if apply_to_index "$git_dir" "$diff" --include="$path" >/dev/null ||
	   apply_to_index "$git_dir" "$diff" --include="$path" --3way >/dev/null; then
		return
	fi
	# Of a conflict the index has all three, with the mode
	read -r mode before after < <(awk -v path="$path" '
		/^diff --git / { here = index($0, " b/" path) && $NF == "b/" path }
		here && /^index / { split($2, blob, /\.\./); print $3, blob[1], blob[2] }' "$diff")
	ours=$(git --git-dir="$git_dir" ls-files -s -- ":(top,literal)$path" |
		awk '$3 == 0 || $3 == 2 { print $2; exit }')
	merged=$(mktemp -d "$tmp/merge.XXXXXX")
	if ! git --git-dir="$git_dir" cat-file blob "$ours" >"$merged/ours" ||
	   ! git --git-dir="$git_dir" cat-file blob "$before" >"$merged/before" ||
	   ! git --git-dir="$git_dir" cat-file blob "$after" >"$merged/after"; then
		die "$path: git has not what the patch was made for, run make tree without BASE first"
	fi
	git merge-file -q --ours "$merged/ours" "$merged/before" "$merged/after"
	git --git-dir="$git_dir" update-index --force-remove "$path"
	git --git-dir="$git_dir" update-index --add --cacheinfo \
		"$mode,$(git --git-dir="$git_dir" hash-object -w --no-filters "$merged/ours"),$path"
	return 1
}

# add_new_file GIT-DIR PATCH FROM TO: to the index in $GIT_INDEX_FILE
add_new_file()
{
	local git_dir=$1 patch=$2 from=$3 to=$4 mode=100644 blob

	[ -f "$top/$from" ] || die "patches/$patch: New-file $from does not exist"
	[ ! -x "$top/$from" ] || mode=100755
	blob=$(git --git-dir="$git_dir" hash-object -w --no-filters "$top/$from")
	git --git-dir="$git_dir" update-index --add --cacheinfo "$mode,$blob,$to"
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
	for dir in arch drivers include kunit linux; do
		[ ! -d $dir ] || find $dir -name '*.[chS]' -o -path 'linux/*' -type f
	done | sort
}
