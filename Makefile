# Outlast: every target sets up what it needs. PYTHON may name another interpreter (3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup drill test test-drill lint format pages bench soak clean

help:
	@echo "make drill   play the loss and return of a Region on this machine, and write the report"
	@echo "make test    run the tests"
	@echo "make test-drill  play whole drills as tests; wants the machine for itself"
	@echo "make lint    ruff, mypy, pyright, import-linter"
	@echo "make pages   write the coverage pages of docs/services anew"
	@echo "make bench   measure side by side with the peers, into docs/performance.md"
	@echo "make soak    ten minutes of mixed load, then the long suites"

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Outlast needs Python 3.11 or newer.")'
	@echo "Installing into $(VENV): once, a minute or two."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

setup: $(VENV)/.ready

drill: setup
	@export OUTLAST_HOME="$(CURDIR)/.outlast" PATH="$(CURDIR)/$(BIN):$$PATH"; \
	outlast up --detach --port 0 || exit 1; \
	trap 'outlast down' EXIT; trap 'exit 130' INT TERM; \
	outlast deploy && outlast drill --into drill-report

test: setup
	$(BIN)/pytest -q -n $(WORKERS) --dist loadgroup --ignore tests/drill

test-drill: setup
	$(BIN)/pytest -q tests/drill

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src/outlast examples/orders
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/cfn-lint templates/*.yaml

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pages: setup
	$(BIN)/python -m tests.service_pages

bench: setup
	$(BIN)/python -m bench --write

soak: setup
	$(BIN)/python -m bench.soak
	$(BIN)/pytest -q -m soak --timeout 3600

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
