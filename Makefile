# SPDX-License-Identifier: GPL-2.0-only
# The front door: `make help` lists what there is. Every target does the set-up
# that it needs; the scripts do only what has changed.

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.DEFAULT_GOAL := help

arm64_config := tools/configs/arm64.config

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | \
		awk -F '\t' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo
	@echo '  KTREE=dir       a Linux 7.3.y tree in place of the fetched source'
	@echo '  QEMU=program    a QEMU of your own: 11.1 or later, with plugins and modules'
	@echo '  VSVA_CACHE=dir  downloads and unpacked tools, default ~/.cache/vsva'

.PHONY: demo
demo: kernel kernel-base qemu ## run VMs on both kernels and show what the series does
	@env -u KTREE tools/e2e/demo/run demo
	@[ ! -f build/results/vmm-all.ktap ] || scripts/vmm-table

.PHONY: check
check: ## everything that CI runs; ends with the totals
	@scripts/check

.PHONY: kernel
ifdef BASE
kernel: kernel-base ## build the patched kernel; with BASE=1 the unpatched one
else
kernel: tree
	@scripts/kernel linux arm64 $(arm64_config)
endif

# Beside its source as the patched one is, see scripts/kernel
.PHONY: kernel-base
kernel-base: tree
	@scripts/kernel base/linux base/arm64 $(arm64_config)
	@ln -sfn base/arm64 build/arm64-base

.PHONY: kernel-modules kernel-kcsan
kernel-modules kernel-kcsan: kernel-%: tree
	@scripts/kernel linux arm64-$* $(arm64_config) tools/configs/$*.config

# With the KUnit suites, so that one build is for both
.PHONY: kernel-debug
kernel-debug: tree
	@scripts/kernel linux arm64-debug $(arm64_config) $(wildcard kunit/arm64*.kunitconfig) \
		tools/configs/debug.config

# KCSAN watches one access in so many. Let it watch where VMIDs, PASIDs and page tables
# are handled.
kcsan_objects := vmid arm-smmu-v3 arm-smmu-v3-vmid arm-smmu-v3-vmid-move \
	arm-smmu-v3-iommufd device hw_pagetable pasid viommu
kernel-kcsan: export KERNEL_ARGS := KCSAN_SANITIZE=n \
	$(kcsan_objects:%=KCSAN_SANITIZE_%.o=y)

.PHONY: tree
tree: source ## compose build/linux, a git tree of the kernel with the series
	@scripts/compose

.PHONY: export
export: ## write the commits of build/linux back; FROM="gittree base..tip" of another
	@scripts/export $(FROM)

.PHONY: series
series: tree ## write the mail-ready patches, for git am, to build/series
	@scripts/series

.PHONY: kunit
kunit: suite-kunit-uml suite-kunit-arm64 ## run the KUnit suites, under UML and QEMU

.PHONY: e2e
e2e: suite-e2e ## run the end-to-end test on both kernels

# The patched kernel with another configuration
e2e_on = tools/e2e/run -t patched -k build/arm64-$(1)/arch/arm64/boot/Image -o build/$@

.PHONY: e2e-modules
e2e-modules: kernel-modules qemu ## run it with the drivers as modules, unloaded and loaded again
	@scripts/suite $@ $(call e2e_on,modules) -M tools/e2e/matrix-modules

.PHONY: e2e-nested
e2e-nested: kernel kernel-base qemu ## run its VMs that have an EL2, which takes minutes
	@scripts/suite $@ tools/e2e/run -T 600 -a 'e2e.slow=5' -o build/$@ \
		-M tools/e2e/matrix-nested

.PHONY: e2e-debug
e2e-debug: kernel-debug qemu ## run it with KASAN, UBSAN, lockdep and kmemleak
	@scripts/suite $@ $(call e2e_on,debug) -T 600 -a 'e2e.slow=10 e2e.ops=20000'

.PHONY: kunit-debug
kunit-debug: kernel-debug qemu ## run the KUnit suites with KASAN, UBSAN and lockdep
	@scripts/suite $@ scripts/kunit debug run

.PHONY: storm-kcsan
storm-kcsan: kernel-kcsan qemu ## run storms with KCSAN
	@scripts/suite $@ $(call e2e_on,kcsan) -T 600 \
		-a 'e2e.slow=10 e2e.ops=60000 kcsan.skip_watch=20' storm storm-off \
		guest-storm guest-storm-lazy

.PHONY: vmm
vmm: kernel kernel-base qemu ## run QEMU with a Linux guest inside the host, and count what an unmap costs
	@scripts/deps ninja-build pkgconf python3-pip python3-venv
	@scripts/suite vmm-all scripts/vmm
	@scripts/vmm-table

.PHONY: storm-vmm
storm-vmm: kernel kernel-base qemu ## I/O of a guest for MINUTES=5 with resets, crashes, kills and hotplugs
	@scripts/deps ninja-build pkgconf python3-pip python3-venv
	@VMM_SECONDS=$$((60 * $(or $(MINUTES),5))) scripts/suite storm-vmm scripts/vmm storm

.PHONY: vmm-qtest
vmm-qtest: ## run QEMU's own tests of what patches/qemu change
	@scripts/deps ninja-build pkgconf python3-pip python3-venv
	@scripts/suite vmm-qtest scripts/vmm-qtest

.PHONY: selftests
selftests: suite-selftests ## run the kernel's iommufd selftests on both kernels

.PHONY: soak
soak: kernel qemu ## run storms for MINUTES=30, each with another seed
	@scripts/suite soak tools/e2e/soak -m $(or $(MINUTES),30)

.PHONY: bench
bench: bench-vmid bench-pasid ## both of the following

.PHONY: bench-vmid
bench-vmid: kernel kernel-base qemu ## count the instructions of an invalidation, a vcpu_load and an unmap
	@scripts/driver tools/bench/dma
	@env -u KTREE tools/e2e/demo/run bench

# The KUnit suites measure what the SMMUv3 driver adds.
.PHONY: bench-pasid
bench-pasid: kernel kernel-base suite-kunit-arm64 ## measure what an attached PASID costs, to build/report
	@scripts/deps gnuplot-nox
	@KUNIT_LOG=build/log/kunit-arm64.console scripts/suite bench-pasid \
		tools/bench/pasid/run build/arm64-base/arch/arm64/boot/Image \
		build/arm64/arch/arm64/boot/Image build/linux build/report
	@cat build/report/pasid.txt

.PHONY: lint
lint: suite-lint ## checkpatch, sparse, W=1, kernel-doc, shellcheck and rules of the house

.PHONY: htmldocs
htmldocs: tree ## build the pages of the kernel's documentation that the series changes
	@scripts/htmldocs
	@echo build/htmldocs/html/index.html

.PHONY: bisect
bisect: tree qemu ## build and run each commit of the series
	@scripts/suite bisect-run scripts/bisect run

.PHONY: model
model: ## search the models with spin, at most five minutes
	@scripts/suite model-long tools/model/run long

.PHONY: modules
modules: suite-modules ## build the modules of Kbuild outside the kernel tree

.PHONY: deps
deps: ## install the build packages that are missing
	@scripts/deps

.PHONY: qemu
qemu: deps ## find or fetch QEMU, for build/bin/qemu-system-aarch64
	@scripts/fetch-qemu

.PHONY: source
source: deps
	@scripts/fetch-kernel

.PHONY: clean
clean: ## remove build/; the cache stays
	@scripts/clean

# The suites of make check
.PHONY: suite-front suite-roundtrip suite-lint suite-kunit-uml suite-kunit-arm64 suite-vmid-race \
	suite-model
suite-front: deps
	@scripts/suite front scripts/test-front
suite-roundtrip: tree
	@scripts/suite roundtrip scripts/check-roundtrip
suite-lint: tree
	@scripts/suite lint scripts/lint
suite-kunit-uml: tree
	@scripts/kunit uml
suite-kunit-arm64: tree qemu
	@scripts/kunit arm64
suite-vmid-race: tree
	@scripts/suite vmid-race tools/vmid-race/run
suite-model:
	@scripts/suite model tools/model/run

.PHONY: suite-e2e suite-vmm suite-selftests suite-bisect suite-modules
suite-e2e: kernel kernel-base qemu
	@scripts/suite e2e tools/e2e/run
suite-vmm: kernel kernel-base qemu
	@scripts/suite vmm scripts/vmm btm btm-asked example-base example
suite-selftests: kernel kernel-base qemu
	@scripts/suite selftests scripts/selftests
suite-bisect: tree
	@scripts/suite bisect scripts/bisect
suite-modules: tree
	@scripts/suite modules scripts/modules
