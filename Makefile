# Centralita. `make demo` and `make test` each do all their own set-up; every other target does too.
# Needs Python 3.11 or newer, pip, make and cargo. Nothing is installed outside .venv and target.

.DEFAULT_GOAL := test
SHELL := /bin/bash

# The first interpreter that is new enough: a `python3` may be older, a version manager's shim may be empty.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --constraint constraints.txt
MEMBERS := cli $(sort $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml)))
RUST := Cargo.toml Cargo.lock routing_rs/Cargo.toml $(shell find routing_rs/src -name '*.rs')

# Bytecode is kept whatever the environment says: the tests start some hundred interpreters, each of which would
# compile all of our modules.
unexport PYTHONDONTWRITEBYTECODE

# Two workers a processor, since half of what the tests do is to wait for servers, telephones and browsers.
# PYTEST_ARGS narrows a run: make test PYTEST_ARGS='-k matching -n 0'.
PYTEST_ARGS ?=

.PHONY: setup demo test test-rust test-python check lint types fmt bench bench-engine bench-load bench-queue bench-recovery bench-sim theory fuzz torture voice-load clean

setup: $(VENV)/.members

$(VENV)/.tools: constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@# Debian's python3 has no ensurepip without python3-venv, so pip comes from the interpreter's own pip.
	@test -x $(BIN)/pip || $(PYTHON) -m pip --python $(BIN)/python install --quiet --constraint constraints.txt pip
	$(INSTALL) --upgrade pip
	$(INSTALL) --group dev
	@touch $@

$(VENV)/.engine: $(VENV)/.tools $(RUST)
	PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/$(VENV)" PIP_CONSTRAINT="$(CURDIR)/constraints.txt" PIP_QUIET=1 \
		$(BIN)/maturin develop --release --locked --quiet
	@touch $@

$(VENV)/.members: $(VENV)/.engine $(addsuffix /pyproject.toml,$(MEMBERS))
	$(INSTALL) --no-build-isolation $(addprefix --editable ./,$(MEMBERS))
	@touch $@

demo: setup
	$(BIN)/centralita demo

# Python last: pytest's closing line ends the output.
test: setup
	@$(MAKE) --no-print-directory test-rust
	@$(MAKE) --no-print-directory test-python

test-rust:
	cargo test --locked --workspace --quiet

test-python: setup
	$(BIN)/pytest -n $$((2 * $$(getconf _NPROCESSORS_ONLN))) --maxprocesses 16 $(PYTEST_ARGS)

check: setup
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory test

lint: $(VENV)/.tools
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	cargo fmt --all --check
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python cargo clippy --locked --workspace --all-targets --all-features --quiet -- -D warnings

types: setup
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml centralita._routing

fmt: $(VENV)/.tools
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format
	cargo fmt --all

bench: bench-queue bench-engine bench-voice

bench-engine: setup
	@$(BIN)/python benchmarks/bench_engine.py

# BENCH_ARGS: --minutes 1 is shorter than the 10.
bench-load: setup
	@$(BIN)/python benchmarks/bench_load.py $(BENCH_ARGS)

# BENCH_ARGS: --contacts and --live make it shorter.
bench-recovery: setup
	@$(BIN)/python benchmarks/bench_recovery.py $(BENCH_ARGS)

# BENCH_ARGS: --quick, --full, --write (tables and plots into benchmarks/).
bench-queue: setup $(VENV)/.bench
	@$(BIN)/python benchmarks/bench_queue.py $(BENCH_ARGS)

# Beside app_queue on a real Asterisk, some minutes. BENCH_ARGS: --quick, --write.
.PHONY: bench-voice
bench-voice: setup
	@$(BIN)/python benchmarks/bench_voice.py $(BENCH_ARGS)

bench-sim: setup $(VENV)/.bench
	@$(BIN)/python benchmarks/bench_sim.py

$(VENV)/.bench: $(VENV)/.tools
	$(INSTALL) --group bench
	@touch $@

# The engine against exact queueing answers, ten times as long as in the tests; THEORY=1 is as long as there.
THEORY ?= 10
theory: setup
	@PYTHONPATH=tests $(BIN)/python -m theory.long $(THEORY)

# The queue against brute force, in Rust and through Python, each for SECONDS; a difference prints its seed.
# CI does so for a minute: with -j 2 both at once.
SECONDS ?= 3600
.PHONY: fuzz-queue fuzz-queue-rust fuzz-queue-python
fuzz-queue: fuzz-queue-rust fuzz-queue-python

fuzz-queue-rust:
	cargo run --locked --profile plain --quiet --package centralita_routing --example fuzz -- --seconds $(SECONDS)

fuzz-queue-python: setup
	$(BIN)/python -m tests.matching.fuzz --seconds $(SECONDS)

# Then every decoder and every operation of the OpenAPI document, with fifty times the tests' cases.
fuzz: setup fuzz-queue
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -q -n 2 tests/fuzz tests/http/test_fuzz.py

# 1,000 telephone calls at 50 a second on a real Asterisk; CALLS and RATE change that.
CALLS ?= 1000
RATE ?= 50
voice-load: setup
	@$(BIN)/python -m tests.voice.load $(CALLS) $(RATE)

# Simulated faults, kills of the real daemon and a long recovery, for about SECONDS (default 1200; SEED repeats one).
torture: setup
	@$(BIN)/python -m tests.torture.long --seconds $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),1200) $(if $(SEED),--seed $(SEED))

clean:
	rm -rf $(VENV) target core/centralita/_routing*.so
