.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench torture lock docs

PYTHON ?= $(shell command -v python3 || command -v python)
BIN := .venv/bin

# What can be done here.
help:
	@awk '/^# /{said=substr($$0,3)} /^[a-z]+:/{sub(":.*","",$$1); printf "make %-8s %s\n",$$1,said}' $(MAKEFILE_LIST)

# The environment in .venv, and all that the demo needs to run offline; does nothing when nothing changed.
setup: .venv/ready

.venv/ready: scripts/setup.py requirements/dev.txt pyproject.toml examples/flights/requirements.txt
	@$(PYTHON) scripts/setup.py

# Four minutes: the whole loop on real flights, judged from outside.
demo: setup
	@$(BIN)/ciranda demo

# Every test: unit, integration and journey.
test: setup
	@$(BIN)/pytest

# What must hold before a commit: lint, format, types, layers, dead code, documentation. CI runs exactly this.
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/pytest -n 0 tests/unit/docs

# The figures, beside the peers, each in an environment of its own; results in benchmarks/.cache/summary.json.
bench: setup
	@$(BIN)/python benchmarks/run.py

# Kill everything everywhere, start it again, and count what was lost (nothing may be).
torture: setup
	@$(BIN)/python benchmarks/torture.py

# The locks in requirements/ and examples/, with hashes and without addresses.
lock: setup
	@$(BIN)/python scripts/lock.py

# The reference pages that are made from the program itself.
docs: setup
	@$(BIN)/python scripts/docs.py
