# SPDX-License-Identifier: GPL-2.0-only
# The front door: `make help` lists what there is, in the groups that `##@` names.
# Every target does the set-up that it needs; the scripts do only what has changed.

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.DEFAULT_GOAL := help

arm64_config := tools/configs/arm64.config

# Where scripts/lib.sh builds too
b := build$(BASE:%=/%)
ifeq ($(BASE),7.3)
b := build
endif

.PHONY: help
help:
	@sed -n 's/^##@ /\n/p; s/^\([a-z0-9_-]*\):.*## /\1\t/p' Makefile | \
		awk -F '\t' '{ if (NF > 1) printf "  %-15s %s\n", $$1, $$2; else print }'
	@echo
	@echo 'Variables'
	@echo '  BASE=7.2       on Linux 7.2, in build/7.2, in place of 7.3'
	@echo '  KTREE=dir      a tree of that Linux in place of the fetched source'
	@echo '  SERIES="..."   compose some of the series only: fixes vmid pasid smmu-guest'
	@echo '  QEMU=program   a QEMU of your own: 11.1 or later, with plugins and modules'
	@echo '  VSVA_CACHE=dir downloads and unpacked tools, default ~/.cache/vsva'

##@ Start here

.PHONY: demo
demo: first-demo kernel kernel-base qemu ## run VMs on both kernels and show what the series does
	@env -u KTREE tools/e2e/demo/run -b $b demo
	@[ ! -f $b/results/vmm-all.ktap ] || scripts/vmm-table

.PHONY: first-demo
first-demo:
	@[ -f $b/arm64-base/arch/arm64/boot/Image ] || \
	echo 'fetching Linux and QEMU, building two kernels: about ten minutes on two cores'

.PHONY: check
check: ## everything that CI runs; ends with the totals
	@scripts/check

.PHONY: vmm
vmm: kernel kernel-base kernel-64k qemu ## run QEMU with a Linux guest inside the host, and count what an unmap costs
	@scripts/deps ninja-build pkgconf python3-pip python3-venv
	@scripts/suite vmm-all scripts/vmm
	@scripts/vmm-table

##@ The patches

.PHONY: tree export
ifeq ($b,build)
tree: source ## compose build/linux, a git tree of the kernel with the series
	@scripts/compose
export: ## write the commits of build/linux back; FROM="gittree base..tip" of another
	@scripts/export $(FROM)
else
# Merges take from the main tree what the patches were made for
tree: source
	@env -u BASE -u KTREE scripts/fetch-kernel
	@env -u BASE -u SERIES scripts/compose
	@scripts/compose
export:
	@scripts/variants $(FROM)
endif

.PHONY: series
series: tree ## write the mail-ready patches, for git am, to build/series
	@scripts/series

.PHONY: htmldocs
htmldocs: tree ## build the pages of the kernel's documentation that the series changes
	@scripts/htmldocs
	@echo $b/htmldocs/html/index.html

# Of the tree in KTREE nothing is built
.PHONY: rebase
rebase: ## which patches apply to the tree in KTREE=dir, of any Linux, and which not and where
	@scripts/rebase

##@ What is built

.PHONY: kernel
kernel: tree ## build the patched kernel
	@scripts/kernel linux arm64 $(arm64_config)

# Beside its source as the patched one is, see scripts/kernel
.PHONY: kernel-base
kernel-base: tree ## build the unpatched kernel
	@scripts/kernel base/linux base/arm64 $(arm64_config)
	@ln -sfn base/arm64 $b/arm64-base

.PHONY: kernel-modules kernel-kcsan
kernel-modules kernel-kcsan: kernel-%: tree
	@scripts/kernel linux arm64-$* $(arm64_config) tools/configs/$*.config

# With the KUnit suites, so that one build is for both
.PHONY: kernel-debug kernel-64k
kernel-debug kernel-64k: kernel-%: tree
	@scripts/kernel linux arm64-$* $(arm64_config) $(wildcard kunit/arm64*.kunitconfig) \
		tools/configs/$*.config

# KCSAN watches one access in so many. Let it watch where VMIDs, PASIDs and page tables
# are handled.
kcsan_objects := vmid arm-smmu-v3 arm-smmu-v3-vmid arm-smmu-v3-vmid-move \
	arm-smmu-v3-iommufd device hw_pagetable pasid viommu
kernel-kcsan: export KERNEL_ARGS := KCSAN_SANITIZE=n \
	$(kcsan_objects:%=KCSAN_SANITIZE_%.o=y)

.PHONY: modules
ifdef KDIR
modules: deps ## build the drivers and suites as modules; for a kernel of yours with KDIR=build folder
else
modules: kernel-modules
endif
	@scripts/modules build $(KDIR)

.PHONY: modules_install
modules_install: ## install them, with KDIR=build folder and perhaps INSTALL_MOD_PATH=root of the host
	@scripts/modules install $(KDIR)

##@ Tests that make check is made of

.PHONY: kunit
kunit: suite-kunit-uml suite-kunit-arm64 ## run the KUnit suites, under UML and QEMU

.PHONY: e2e
e2e: suite-e2e ## run the end-to-end test on both kernels

.PHONY: selftests
selftests: suite-selftests ## run the kernel's iommufd selftests, and some of KVM and VFIO, on both kernels

.PHONY: lint
lint: suite-lint ## checkpatch, static checkers, kernel-doc, spelling and rules of the house

##@ Longer tests

# The patched kernel with another configuration
e2e_on = tools/e2e/run -b $b -t patched -k $b/arm64-$(1)/arch/arm64/boot/Image -o $b/$@

.PHONY: e2e-modules
e2e-modules: modules qemu ## run it with the modules of make modules, unloaded and loaded again
	@scripts/suite $@ $(call e2e_on,modules) -M tools/e2e/matrix-modules

.PHONY: e2e-nested
e2e-nested: kernel kernel-base qemu ## run its VMs that have an EL2, which takes minutes
	@scripts/suite $@ tools/e2e/run -b $b -T 600 -a 'e2e.slow=5' -o $b/$@ \
		-M tools/e2e/matrix-nested

.PHONY: e2e-debug
e2e-debug: kernel-debug qemu ## run it with KASAN, UBSAN, lockdep and kmemleak
	@scripts/suite $@ $(call e2e_on,debug) -T 600 -a 'e2e.slow=10 e2e.ops=20000'

.PHONY: kunit-debug
kunit-debug: kernel-debug qemu ## run the KUnit suites with KASAN, UBSAN and lockdep
	@scripts/suite $@ scripts/kunit debug run

.PHONY: kunit-64k
kunit-64k: kernel-64k qemu ## run the KUnit suites on a kernel with 64 KB pages
	@scripts/suite $@ scripts/kunit 64k run

.PHONY: storm-kcsan
storm-kcsan: kernel-kcsan qemu ## run storms with KCSAN
	@scripts/suite $@ $(call e2e_on,kcsan) -T 600 \
		-a 'e2e.slow=10 e2e.ops=60000 kcsan.skip_watch=20' storm storm-off \
		guest-storm guest-storm-lazy

.PHONY: storm-vmm
storm-vmm: kernel kernel-base qemu ## I/O of a guest for MINUTES=5 with resets, crashes, kills and hotplugs
	@scripts/deps ninja-build pkgconf python3-pip python3-venv
	@VMM_SECONDS=$$((60 * $(or $(MINUTES),5))) scripts/suite storm-vmm scripts/vmm storm

.PHONY: peers
peers: kernel kernel-base qemu ## run the kernel's selftests of KVM, VFIO and iommufd on both kernels, on four hosts
	@scripts/suite $@ scripts/selftests vhe nvhe vm driver

.PHONY: vmm-qtest
vmm-qtest: ## run QEMU's own tests of what patches/qemu change
	@scripts/deps ninja-build pkgconf python3-pip python3-venv
	@scripts/suite vmm-qtest scripts/vmm-qtest

.PHONY: soak
soak: kernel qemu ## run storms for MINUTES=30, each with another seed
	@scripts/suite soak tools/e2e/soak -m $(or $(MINUTES),30)

.PHONY: fuzz
fuzz: kernel-debug qemu ## call iommufd, VFIO and KVM at random for MINUTES=10, with KASAN and lockdep
	@scripts/suite fuzz tools/e2e/soak -e fuzz -m $(or $(MINUTES),10) -- -b $b \
		-M tools/e2e/matrix-fuzz -T 900 \
		-k $b/arm64-debug/arch/arm64/boot/Image -o $b/$@ -a 'e2e.slow=10 e2e.ops=19200'

.PHONY: soak-kunit
soak-kunit: tree qemu ## run random sequences in KUnit for MINUTES=30, from another seed
	@scripts/kunit arm64 build
	@scripts/suite soak-kunit scripts/kunit soak $(or $(MINUTES),30)

.PHONY: mutants
mutants: tree qemu ## break the series in many small ways, or MUTANTS="name", and see which suite notices
	@scripts/mutants $(MUTANTS)

.PHONY: coverage
coverage: tree qemu ## which lines of the series do the suites reach, counted by gcov
	@rc=0; scripts/suite $@ scripts/coverage || rc=$$?; \
		sed -n 's/^# //p' $b/results/$@.ktap; exit $$rc

.PHONY: corners
corners: tree ## compile what the series touches in every CORNERS="configuration", W=1, gcc and clang
	@scripts/deps gcc-riscv64-linux-gnu clang-19 lld-19 llvm-19
	@scripts/suite $@ scripts/corners $(CORNERS)

.PHONY: bisect
bisect: tree qemu ## build and run each commit of the series
	@scripts/suite bisect-run scripts/bisect run

.PHONY: model
model: ## search the models with spin, at most five minutes
	@scripts/suite model-long tools/model/run long

##@ What is measured

.PHONY: bench
bench: bench-vmid bench-pasid ## both of the following

.PHONY: bench-vmid
bench-vmid: kernel kernel-base qemu ## count the instructions of an invalidation, a vcpu_load and an unmap
	@scripts/driver tools/bench/dma
	@env -u KTREE tools/e2e/demo/run -b $b bench

# The KUnit suites measure what the SMMUv3 driver adds.
.PHONY: bench-pasid
bench-pasid: kernel kernel-base suite-kunit-arm64 ## measure what an attached PASID costs, to build/report
	@scripts/deps gnuplot-nox
	@KUNIT_LOG=$b/log/kunit-arm64.console scripts/suite bench-pasid \
		tools/bench/pasid/run $b/arm64-base/arch/arm64/boot/Image \
		$b/arm64/arch/arm64/boot/Image $b/linux $b/report
	@cat $b/report/pasid.txt

.PHONY: report
report: deps ## write a page of what the last runs showed, with plots, to build/report/index.html
	@scripts/deps gnuplot-nox
	@scripts/report

##@ The machine

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
	@scripts/deps gnuplot-nox libxml2-utils
	@scripts/suite front scripts/test-front
suite-roundtrip: tree
	@scripts/suite roundtrip scripts/check-roundtrip
suite-lint: tree
	@scripts/deps clang-19 codespell coccinelle lld-19 llvm-19 python3-sphinx python3-yaml
	@scripts/suite lint scripts/lint
suite-kunit-uml: tree
	@scripts/kunit uml
suite-kunit-arm64: tree qemu
	@scripts/kunit arm64
suite-vmid-race: tree
	@scripts/suite vmid-race tools/vmid-race/run
suite-model:
	@scripts/suite model tools/model/run

.PHONY: suite-e2e suite-vmm suite-selftests suite-bisect suite-modules suite-other-base \
	suite-fuzz
# On the other base there is no series smmu-guest, which the rows guest-... are for.
suite-e2e: kernel kernel-base qemu
	@scripts/suite e2e tools/e2e/run -b $b \
		$(if $(filter-out build,$b),$(shell sed -n '/^guest-/d; s/^\([a-z0-9-]\+\) *|.*/\1/p' tools/e2e/matrix))
suite-vmm: kernel kernel-base qemu
	@scripts/suite vmm scripts/vmm btm btm-asked example-base example
suite-selftests: kernel kernel-base qemu
	@scripts/suite selftests scripts/selftests iommufd short
suite-fuzz: kernel qemu
	@scripts/suite fuzz tools/e2e/run -b $b -t patched -M tools/e2e/matrix-fuzz \
		-a e2e.ops=14400 -o $b/fuzz-short fuzz
suite-bisect: tree
	@scripts/suite bisect scripts/bisect
suite-modules: modules qemu
	@scripts/suite modules $(call e2e_on,modules) -M tools/e2e/matrix-modules \
		vhe-btm:same-vmid,modules suites
# The other base, from the main one
suite-other-base: tree
	@env -u KTREE BASE=7.2 scripts/fetch-kernel
	@scripts/suite other-base env BASE=7.2 scripts/other-base
