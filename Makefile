# leakwatch, for a fresh machine with git, make and Python 3.11 or newer:
#   make demo    set up .venv and play the guided demo
#   make test    set up .venv and run the tests
# ARGS adds arguments:  make test ARGS="-k mail"   make demo ARGS="--seed 7"
# PYTHON picks another interpreter:  make test PYTHON=python3.12

PYTHON ?= python3
UV     ?= uv
ARGS   ?=
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# Byte code is kept in one place: a test run starts a hundred processes that import the same libraries.
export PYTHONPYCACHEPREFIX := $(abspath $(VENV))/pycache
export PYTHONDONTWRITEBYTECODE :=

# --no-compile: byte-compiling one vendor SDK (16,000 files) would take longer than everything else here.
INSTALL := $(PIP) install --quiet --no-compile --require-hashes
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 \
           --no-header --no-annotate --no-emit-index-url --no-emit-find-links

.PHONY: help demo test check lint types imports format bench chaos crash conformance conformance-table lock clean
.DEFAULT_GOAL := help

help:
	@sed -n '1,5s/^# \{0,1\}//p' Makefile
	@echo "also: make check (lint, format, types, imports) | format | bench | chaos | crash | conformance (needs npm) | lock (needs uv) | clean"

demo: $(VENV)/ready
	$(BIN)/leakwatch demo $(ARGS)

test: $(VENV)/ready
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

# make -k check runs them all and fails at the end.
check: lint types imports

lint: $(VENV)/ready-dev
	@failed=0; $(BIN)/ruff check . || failed=1; $(BIN)/ruff format --check . || failed=1; exit $$failed

types: $(VENV)/ready-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

imports: $(VENV)/ready-dev
	$(BIN)/lint-imports

format: $(VENV)/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Brings the generated part of docs/sandbox.md up to date.
conformance-table: $(VENV)/ready
	cd tests && $(abspath $(BIN))/python -m sandbox.conformance

# Other people's clients against the sandbox. Needs npm and PyPI; installs into build/conformance.
conformance: $(VENV)/ready
	$(BIN)/python conformance/run.py $(ARGS)

bench: $(VENV)/ready-dev
	$(BIN)/python benchmarks/run.py $(ARGS)

# The long run of crash tests: docs/chaos.md. Goes on where it stopped; results in build/crash.
crash: $(VENV)/ready
	cd tests && $(abspath $(BIN))/python -m system.crash.long_run $(ARGS)

# Ten days of trouble, in memory: docs/chaos.md.
chaos: $(VENV)/ready
	cd tests && $(abspath $(BIN))/python -m flows.chaos_stories $(ARGS)

# The stamps make the second call instant. They depend on what decides the installed set.
$(VENV)/ready: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "leakwatch needs Python 3.11 or newer, and there is no '$(PYTHON)' here." >&2; \
	  echo "Install it, or name yours: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "leakwatch needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)." >&2; \
	  echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' can't make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (once; some minutes on a slow line)"
	@rm -f $@ $(VENV)/ready-dev
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready requirements-dev.lock
	$(INSTALL) -r requirements-dev.lock
	@touch $@

# Three sets from one resolution: what `make test` needs, that plus the developer's tools, and the bare runtime for
# the image. Versions stay unless ARGS=--upgrade. The build backend is locked too, so that installing leakwatch itself fetches nothing unhashed.
lock:
	printf 'hatchling\neditables\n' | $(COMPILE) pyproject.toml - --extra test $(ARGS) -o requirements.lock
	printf 'hatchling\neditables\n' | $(COMPILE) pyproject.toml - --extra dev --extra bench --no-emit-package leakwatch \
	  -c requirements.lock -o requirements-dev.lock
	printf 'hatchling\n' | $(COMPILE) pyproject.toml - -c requirements.lock -o requirements-image.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
