# Two commands for everybody: `make demo` and `make test`. Each installs what is missing on a Debian 12 machine.
# The others are for those who build Fleetwright; CONTRIBUTING.md says when.

JOBS ?= $(shell nproc)
# ccache hits across build folders and clones.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
GENERATOR := $(if $(shell command -v ninja),-G Ninja)

.PHONY: help demo test bench sim mutants coverage asan tsan fuzz fmt tidy nightly vm-fetch

help:
	@sed -n 's/^## //p' Makefile

## make demo      install, build, and watch the main job run for real (root)
demo: build-release
	python3 tests/demo/demo.py --bin build/release/bin --out build/demo

## make test      install, build, run every test; each skip says why
test: packages-test packages-vm vm-fetch build-dev
	python3 tests/run_tests.py build/dev

## make bench     measure beside prometheus-node-exporter and collectd; table and build/bench/bench.json
bench: packages-bench build-release
	python3 tests/bench/bench.py --bin build/release/bin --out build/bench

## make sim       simulate the authority with faults and attackers for SIM_SECONDS (60); build/bench/sim.json
sim: configure-release
	@python3 tests/build.py release $(JOBS) fw_sim
	build/release/bin/fw_sim --seconds $(or $(SIM_SECONDS),60) --jobs $(JOBS) --json build/bench/sim.json

## make mutants   break each check of the verifier; its tests must notice; build/bench/mutants.json
mutants: packages-test configure-dev
	@python3 tests/build.py dev $(JOBS) unit_authority_verifier
	python3 tests/mutants/mutants.py build/dev --out build/bench

## make coverage  branch coverage of what decides and acts on a node, by file
coverage: packages-test packages-fuzz | build
	python3 tests/coverage.py

## make asan      the tests under AddressSanitizer and UndefinedBehaviorSanitizer
asan: packages-test build-asan
	python3 tests/run_tests.py build/asan --exclude-label 'vm|scenario'

## make tsan      the tests under ThreadSanitizer
tsan: packages-test build-tsan
	python3 tests/run_tests.py build/tsan --exclude-label 'vm|scenario'

## make fuzz      every fuzz target for FUZZ_SECONDS (60)
fuzz: packages-fuzz build-fuzz
	python3 tests/fuzz/run.py build/fuzz --seconds $(or $(FUZZ_SECONDS),60)

## make fmt       format the C++ sources
fmt: packages-lint
	git ls-files '*.cpp' '*.hpp' '*.c' '*.h' | xargs clang-format-19 -i

## make tidy      clang-tidy over the sources changed since BASE (default: all)
tidy: packages-lint build-dev
	python3 tests/tidy.py build/dev $(BASE)

## make nightly   what is too slow for every change: sanitizers, fuzzing, simulation, mutants, coverage, five healthy minutes, a hostile minute, benchmarks
nightly: test asan tsan fuzz sim mutants coverage
	python3 tests/scenarios/run.py --bin build/dev/bin --set nightly
	python3 tests/executor/program_test.py --executor build/dev/bin/fleetwright-executor --fixture build/dev/bin/executor_fixture --fuzz-seconds 60
	$(MAKE) bench

packages-%:
	@cmake/install-packages $(sort build $*)

# The virtual machine tests use the kernels that ../shared/vm/fetch keeps in ~/.cache; without that folder they skip.
vm-fetch: packages-vm | build
	@if [ -x ../shared/vm/fetch ]; then ../shared/vm/fetch >build/vm-fetch.log 2>&1 || { cat build/vm-fetch.log; exit 1; }; fi

configure-%: packages-build | build
	@cmake --preset $* $(GENERATOR) >build/configure-$*.log 2>&1 || { cat build/configure-$*.log; exit 1; }

build-%: configure-%
	@python3 tests/build.py $* $(JOBS)

build:
	@mkdir -p build
