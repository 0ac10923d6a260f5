# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Sourced by the scripts that boot a kernel with a few static programs.
#
# guest_build_init OUTDIR TREE           compile init and gen_init_cpio
# guest_boot OUTDIR IMAGE "QEMU-ARGS" PROGRAM...
#	run the command lines of OUTDIR/list, in which a program is named without its
#	directory; leaves OUTDIR/output and OUTDIR/console

guest_dir=$(cd "$(dirname "$0")" && pwd)
guest_top=$guest_dir
while [ ! -d "$guest_top/tools/selftests" ] && [ "$guest_top" != / ]; do
	guest_top=$(dirname "$guest_top")
done

CROSS_COMPILE=${CROSS_COMPILE:-aarch64-linux-gnu-}
QEMU=${QEMU:-$guest_top/build/bin/qemu-system-aarch64}
GUEST_TIMEOUT=${GUEST_TIMEOUT:-600}

guest_build_init()
{
	"${CROSS_COMPILE}gcc" -O2 -Wall -Wextra -static -o "$1/init" \
		"$guest_top/tools/selftests/init.c" &&
	cc -O2 -w -o "$1/gen_init_cpio" "$2/usr/gen_init_cpio.c"
}

guest_initramfs()
{
	echo "dir /dev 0755 0 0"
	echo "nod /dev/console 0600 0 0 c 5 1"
	echo "dir /tests 0755 0 0"
	echo "file /init $1/init 0755 0 0"
	echo "file /list $1/list 0644 0 0"
	shift
	for program; do
		echo "file /tests/$(basename "$program") $program 0755 0 0"
	done
}

guest_boot()
{
	guest_out=$1
	guest_image=$2
	guest_args=$3
	shift 3

	guest_initramfs "$guest_out" "$@" > "$guest_out/initramfs.list" &&
	"$guest_out/gen_init_cpio" "$guest_out/initramfs.list" \
		> "$guest_out/initramfs.cpio" || return 1
	: > "$guest_out/output"

	# The word splitting of the arguments is meant.
	# shellcheck disable=SC2086
	timeout "$GUEST_TIMEOUT" "$QEMU" \
		-M virt,virtualization=on,gic-version=3,iommu=smmuv3 \
		-cpu "${GUEST_CPU:-max,pauth-impdef=on}" -display none -monitor none \
		-nodefaults -no-reboot \
		-serial "file:$guest_out/console" \
		-serial "file:$guest_out/output" \
		-kernel "$guest_image" -initrd "$guest_out/initramfs.cpio" \
		-append "console=ttyAMA0 panic=-1 ${GUEST_CMDLINE:-}" \
		$guest_args
}

# Kernel messages that no test may cause
guest_splats()
{
	grep -E 'WARNING: |BUG: |Oops|Kernel panic|Call trace' "$1/console"
}
