# SPDX-License-Identifier: GPL-2.0-only
# What every script here starts with: places, messages, steps that take long.
# shellcheck shell=bash

set -euo pipefail

top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd -P)
# The Linux that the patches are written for, and the one that they are put on: BASE
# names another, which has a build directory of its own.
main_base=7.3
other_base=7.2
for_base=${BASE:-$main_base}
# shellcheck disable=SC2034 # for the scripts that source this file
build=$top/build
[ "$for_base" = "$main_base" ] || build=$top/build/$for_base
VSVA_CACHE=${VSVA_CACHE:-${HOME:-/root}/.cache/vsva}
self=${0##*/}
# shellcheck disable=SC2034
jobs=${JOBS:-$(nproc)}

# Git must not depend on whose machine it is: a diff option or a hook of the
# user would break the exact round trip of the series. The pattern is spelled
# out because the one built into git changes between its versions.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_CONFIG_COUNT=4
export GIT_CONFIG_KEY_0=diff.cpp.xfuncname
export GIT_CONFIG_VALUE_0='^[[:alpha:]_].*[^:]$'
export GIT_CONFIG_KEY_1=safe.directory GIT_CONFIG_VALUE_1='*'
export GIT_CONFIG_KEY_2=gc.auto GIT_CONFIG_VALUE_2=0
export GIT_CONFIG_KEY_3=advice.detachedHead GIT_CONFIG_VALUE_3=false
export LC_ALL=C

# What make was told is not for the makes below.
unset MAKEFLAGS MFLAGS MAKELEVEL

die()
{
	printf '%s: %s\n' "$self" "$*" >&2
	exit 1
}

say()
{
	printf '%s\n' "$*"
}

case $for_base in
"$main_base" | "$other_base") ;;
*) die "BASE=$BASE: the patches are for Linux $main_base and $other_base" ;;
esac

# Whatever ends this script, its unfinished step and temporary places go.
step_pid=
temps=()
cleanup()
{
	[ -z "$step_pid" ] || kill -- "-$step_pid" 2>/dev/null || true
	[ ${#temps[@]} -eq 0 ] || rm -rf -- "${temps[@]}"
}
trap cleanup EXIT
trap 'printf "%s: line %s failed: %s\n" "$self" "$LINENO" "$BASH_COMMAND" >&2' ERR
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# new_tmp PARENT: a temporary directory in $tmp, on PARENT's file system so
# that a finished result is renamed into place. What a killed run left behind
# is removed; a lock on PARENT is the caller's business.
new_tmp()
{
	mkdir -p "$1"
	tmp=$(mktemp -d "$1/tmp.XXXXXX")
	temps+=("$tmp")
}

# A full disk shows as anything from a compiler's bus error to an empty log.
disk_full()
{
	local dir

	for dir in "$build" "$VSVA_CACHE" "${TMPDIR:-/tmp}"; do
		if [ -d "$dir" ] &&
		   [ "$(df -kP "$dir" | awk 'NR == 2 { print $4 }')" -lt 1024 ]; then
			say " (disk full: $dir)"
			return
		fi
	done
	if grep -qs 'No space left on device' "$1"; then
		say " (disk full)"
	fi
}

# run_step NAME LOG COMMAND...: run it with its output in LOG, showing that it
# is alive; ends the script with one line if it fails. The command gets a
# process group of its own, so that an interrupt ends all of it.
# How often a step shows that it is alive, where no terminal is
tick=${STEP_TICK:-30}

run_step()
{
	local name=$1 log=$2 start=$SECONDS shown=0 rc=0 now
	shift 2

	mkdir -p "${log%/*}"
	set -m
	("$@") >"$log" 2>&1 </dev/null &
	step_pid=$!
	set +m
	while kill -0 "$step_pid" 2>/dev/null; do
		now=$((SECONDS - start))
		if [ -t 1 ]; then
			printf '\r%s ... %d s ' "$name" "$now"
		elif [ $((now - shown)) -ge "$tick" ]; then
			say "$name ... $now s"
			shown=$now
		fi
		if [ "$now" -lt 3 ]; then
			sleep 0.1
		else
			sleep 1
		fi
	done
	wait "$step_pid" || rc=$?
	step_pid=
	now=$((SECONDS - start))
	[ ! -t 1 ] || printf '\r\033[K'
	if [ "$rc" -ne 0 ]; then
		die "$name failed after $now s$(disk_full "$log"), see ${log#"$PWD/"}"
	fi
	say "$name: done, $now s"
}

# version_of DIR: x.y.z of the kernel there, or nothing
version_of()
{
	[ ! -f "$1/Makefile" ] ||
		sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = *//p' "$1/Makefile" |
		head -n 3 | paste -s -d .
}

# as_root COMMAND...
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

# have_done STAMP KEY / set_done STAMP KEY: was this step done for this input?
have_done()
{
	[ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

set_done()
{
	mkdir -p "${1%/*}"
	printf '%s\n' "$2" >"$1.new"
	mv "$1.new" "$1"
}

hash_of()
{
	sha256sum | cut -c1-40
}
