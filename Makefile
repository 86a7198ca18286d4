# Needs Python >= 3.11, make and the package registries; uv is fetched into .tools/ when it is not on PATH.
SHELL := /bin/bash
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
DATA ?= data

# Which interpreter is left to uv: told of one by path (pyenv's shims), it would make .venv anew at every call.
# Never a downloaded one: the machine's own serves.
export UV_PYTHON_DOWNLOADS := never
export LANGGRAPH_STRICT_MSGPACK := true
# Compiled modules are kept: without them every start of the program takes a second longer.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test torch studio lint types bench docs format audit clean

help: ## list what one can do
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(UV) ## ask a question about Python's own reference: no key, no network once installed
	@$(UV) run --frozen --quiet searchinstruct ask "What is the difference between a global and a nonlocal statement?"

test: $(UV) ## run all tests
	$(UV) run --frozen --quiet --group dev pytest -n auto --dist loadgroup

torch: $(UV) ## the tests that train encoders: the extra train, a few GB
	$(UV) run --frozen --quiet --extra train --group dev pytest tests/retriever tests/selection/test_tuning.py tests/cli/test_train_retriever.py

studio: $(UV) ## debug every graph in LangGraph Studio, served from this machine
	LANGGRAPH_CLI_NO_ANALYTICS=1 $(UV) run --frozen --quiet --group dev langgraph dev

lint: $(UV) ## style, and the direction of imports
	$(UV) run --frozen --quiet --group dev ruff check .
	$(UV) run --frozen --quiet --group dev ruff format --check .
	$(UV) run --frozen --quiet --group dev lint-imports

types: $(UV) ## the strict type checker
	$(UV) run --frozen --quiet --group dev mypy

bench: $(UV) ## every figure of the research machine: make bench DATA=folder
	$(UV) run --frozen --quiet python -m benchmarks.research --data $(DATA)

docs: $(UV) ## the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(UV) run --frozen --quiet --group docs mkdocs build --strict --quiet

format: $(UV) ## rewrite the code in the house's style
	$(UV) run --frozen --quiet --group dev ruff check --fix .
	$(UV) run --frozen --quiet --group dev ruff format .

audit: $(UV) ## known advisories against what the lock file holds
	$(UV) export --frozen --quiet --no-emit-project --no-hashes > .tools/requirements.txt
	$(UV) run --frozen --quiet --group dev pip-audit --requirement .tools/requirements.txt --no-deps --disable-pip

clean: ## remove what the targets above have made
	find searchinstruct_graph tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
	rm -rf site .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

.tools/bin/uv:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed; install it and try again" >&2; exit 2; }
	@echo "fetching uv into .tools/"
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check uv
