# SPDX-License-Identifier: GPL-2.0-only
# How this project calls the kernel's make: the same for every build, with
# nothing of the machine or the day in the result.
# shellcheck shell=bash disable=SC2154

export CCACHE_BASEDIR=$build CCACHE_NOHASHDIR=1
export CCACHE_DIR=${CCACHE_DIR:-$VSVA_CACHE/ccache}
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-5G}
export KBUILD_BUILD_TIMESTAMP='2026-01-01' KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_USER=vsva KBUILD_BUILD_HOST=vsva
export LOCALVERSION=''

ccache=
if command -v ccache >/dev/null; then
	ccache='ccache '
fi

# kernel_make SOURCE OUTPUT ARGUMENT...: for $arch, arm64 unless it is set, with gcc or,
# if $llvm is the suffix of its programs, clang.
kernel_make()
{
	local source=$1 output=$2 cross=
	shift 2

	case ${arch:-arm64} in
	arm64) cross=aarch64-linux-gnu- ;;
	riscv) cross=riscv64-linux-gnu- ;;
	esac
	if [ -n "${llvm:-}" ]; then
		set -- LLVM="$llvm" CC="${ccache}clang$llvm" "$@"
	else
		set -- CC="$ccache${cross}gcc" "$@"
	fi
	make -C "$source" O="$output" ARCH="${arch:-arm64}" CROSS_COMPILE=$cross \
		HOSTCC="${ccache}gcc" "$@"
}

# kernel_config SOURCE OUTPUT FRAGMENT: allnoconfig and the fragment
kernel_config()
{
	mkdir -p "$2" && kernel_make "$1" "$2" allnoconfig KCONFIG_ALLCONFIG="$3"
}

# merge_config FRAGMENT...: of several lines for one symbol, the last
merge_config()
{
	cat "$@" | tac | awk -F= '/^CONFIG_/ && !seen[$1]++' | tac
}

# known_config SOURCE FRAGMENT: the lines for symbols that the source has. For a tree
# that has not all series; in one that has, an unknown symbol is a wrong one.
known_config()
{
	git -C "$1" grep -h '^[[:space:]]*\(menu\)\?config ' HEAD -- '*Kconfig*' |
		awk -v fragment="$2" '
			{ known["CONFIG_" $2] = 1 }
			END {
				while ((getline line < fragment) > 0) {
					name = line
					sub(/=.*/, "", name)
					if (name in known)
						print line
				}
			}'
}

# check_config OUTPUT FRAGMENT: a line that Kconfig drops is a wrong line, not
# one to overlook.
check_config()
{
	local line lost=0

	while read -r line; do
		grep -qxF -- "$line" "$1/.config" && continue
		case $line in
		*=n)
			grep -q "^${line%=n}=" "$1/.config" || continue
			;;
		esac
		say "not in the configuration: $line"
		lost=1
	done < <(sed '/^#/d; /^$/d' "$2")
	return $lost
}

# source_id TREE: what it holds; nothing if it is being worked on.
source_id()
{
	[ -n "$(git -C "$1" status --porcelain -uno | head -n 1)" ] ||
		git -C "$1" rev-parse 'HEAD^{tree}'
}

unpack_base()
{
	git --git-dir="$build/linux/.git" archive "$base_tree" | tar -x -C "$1"
}

# get_base: build/base/linux is the base, which needs no git of its own; its
# tree is in $base_tree.
get_base()
{
	local base=$build/base/linux

	# shellcheck source=/dev/null
	. "$build/base.env"
	! have_done "$build/base/tree" "$base_tree" || return 0
	new_tmp "$build/base"
	mkdir "$tmp/linux"
	run_step "unpacking the base" "$build/log/base.log" unpack_base "$tmp/linux"
	rm -rf "$base"
	mv -T "$tmp/linux" "$base"
	set_done "$build/base/tree" "$base_tree"
}
