# The developer's manual: every target sets up the environment it needs. `make` lists them.
PYTHON ?= python3
PY := .venv/bin/python
UV := .venv/bin/uv

.PHONY: help setup demo test test-slow check bench docs lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.stamp  ## the environment in .venv, from pinned requirements

demo: .venv/.stamp  ## the paper's comparison on the embedded suite, offline; makes demo/report.html
	.venv/bin/promptlet demo

test: .venv/.stamp  ## the tests: offline, CPU
	$(PY) -m pytest

test-slow: .venv/.stamp  ## the tests that take minutes
	$(PY) -m pytest -m slow

check: .venv/.stamp  ## format, lint, types, import directions
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/.stamp  ## the benchmarks
	$(PY) -m benchmarks

docs: .venv-docs/.stamp  ## the documentation as a site in site/; broken links are errors
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build
	@echo "see it: $(PYTHON) -m http.server --directory site"

.venv-docs/.stamp: requirements/docs.txt | $(UV)
	$(UV) venv -q --clear --python $(PY) .venv-docs
	$(UV) pip install -q --python .venv-docs/bin/python -r requirements/docs.txt
	@touch $@

lock: $(UV)  ## pin the requirements anew from pyproject.toml
	$(UV) pip compile -q --universal --python-version 3.10 --all-extras --group dev --no-header --no-annotate \
		-c requirements/pins.in pyproject.toml -o requirements/dev.txt
	$(UV) pip compile -q --universal --python-version 3.10 --group docs --no-header --no-annotate \
		-o requirements/docs.txt

clean:  ## remove caches and build results; the environment stays
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Promptlet needs Python 3.10 or newer; $(PYTHON) is not: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -q --disable-pip-version-check uv==0.13.9

.venv/.stamp: requirements/dev.txt pyproject.toml | $(UV)
	$(UV) pip install -q --compile-bytecode --python $(PY) -r requirements/dev.txt
	$(UV) pip install -q --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@
