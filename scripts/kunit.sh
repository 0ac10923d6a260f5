# SPDX-License-Identifier: GPL-2.0-only
# How the KUnit suites of a kernel for arm64 are booted, and what must not be seen.
# shellcheck shell=bash disable=SC2154

# What the kernel says of itself. Where a warning is due, a test suppresses it.
# shellcheck disable=SC2034 # for the scripts that source this file
splats='BUG:|WARNING:|KASAN:|UBSAN:|ODEBUG:|suspicious RCU usage|inconsistent lock state'
splats+='|possible (recursive|circular) locking|(list_add|list_del) corruption|refcount_t:'
splats+='|locking correctness validator|suspected memory leaks|kmemleak: Cannot'

# More arguments for QEMU
initrd=()

# qemu KERNEL SECONDS MEMORY WORD...: boot build/KERNEL with more words for it
qemu()
{
	local image=$build/$1/arch/arm64/boot/Image limit=$2 memory=$3
	shift 3

	timeout --foreground "$limit" "$build/bin/qemu-system-aarch64" \
		-M virt,virtualization=on,gic-version=3,iommu=smmuv3 \
		-cpu max,pauth-impdef=on -smp 2 -m "$memory" -nographic -nic none -no-reboot \
		-kernel "$image" "${initrd[@]}" \
		-append "console=ttyAMA0 panic=-1 kunit_shutdown=poweroff $*"
}

# qemu_leaks KERNEL SECONDS MEMORY WORD...: the same with an init that looks for what the
# suites have not freed, on a kernel with kmemleak
qemu_leaks()
{
	local initrd=(-initrd "$build/tools/initramfs.cpio.gz")

	qemu "$@" kunit_shutdown=none
}
