# SPDX-License-Identifier: GPL-2.0-only
# The front door; `make help` lists what there is. Each script does only what
# changed. The shell of the recipes has no part in the messages: a failed step
# has said its one line already.

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
export KTREE QEMU VSVA_CACHE JOBS

arm64_config := tools/configs/arm64.config

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9 -]*\):.*## /\1\t/p' Makefile | sort | \
		awk -F '\t' '{ printf "  %-10s %s\n", $$1, $$2 }'
	@echo
	@echo '  KTREE=dir       a Linux 7.3.y tree in place of the fetched source'
	@echo '  QEMU=program    a QEMU (9.2 or later, plugins) of your own'
	@echo '  VSVA_CACHE=dir  downloads and unpacked tools, default ~/.cache/vsva'

.PHONY: deps
deps: ## install the packages that are missing
	@scripts/deps

.PHONY: source
source: deps
	@scripts/fetch-kernel

.PHONY: qemu
qemu: deps ## put a working QEMU at build/bin/qemu-system-aarch64
	@scripts/fetch-qemu

.PHONY: tree
tree: source ## compose build/linux, a git tree of the kernel with the series
	@scripts/compose

.PHONY: export
export: ## write the commits of build/linux back to patches/, drivers/ ...
	@scripts/export $(FROM)

.PHONY: series
series: tree ## write the mail-ready patches, for git am, to build/series
	@scripts/series

.PHONY: kernel
kernel: tree ## build the patched kernel, with BASE=1 the unpatched one
ifdef BASE
	@scripts/kernel base/linux base/arm64 $(arm64_config)
	@ln -sfn base/arm64 build/arm64-base
else
	@scripts/kernel linux arm64 $(arm64_config)
endif

.PHONY: clean
clean: ## remove build/; the cache stays
	@scripts/clean
