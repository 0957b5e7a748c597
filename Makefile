# The developer's manual: every target sets up the environment it needs. `make` lists them.
PYTHON ?= python3
PY := .venv/bin/python
UV := .venv/bin/uv
EXTRAS := open-clip,lora,huggingface,parquet,ray,heic,serve,client,onnx,openvino,faiss,qdrant,pgvector

DEMO := .venv/.demo-installed
TESTS := .venv/.tests-installed

.PHONY: help venv setup demo test test-slow test-page check bench docs lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(UV)  ## an empty .venv, to put a PyTorch of your choice into before anything else

setup: $(TESTS)  ## all that the other targets need, in .venv

demo: $(DEMO)  ## the main job on drawn pictures, offline, and the paper's comparison; makes demo/report.html
	.venv/bin/promptlet demo

test: $(TESTS)  ## the tests: offline, CPU, on up to four cores
	$(PY) -m pytest -n auto --maxprocesses 4

test-slow: $(TESTS)  ## the tests that take minutes
	$(PY) -m pytest -m slow -n auto --maxprocesses 2

test-page: $(TESTS)  ## pages (of `promptlet teach`, of examples/browser) in Chromium, installed where it is missing
	bash tools/page/needs.sh .venv
	$(PY) -m pytest tests/page tests/browser -m page -n auto --maxprocesses 2

check: $(TESTS)  ## format, lint, types, import directions
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: $(TESTS)  ## the benchmarks
	$(PY) -m benchmarks

docs: .venv-docs/.stamp  ## the documentation as a site in site/; broken links are errors
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build
	@echo "see it: $(PYTHON) -m http.server --directory site"

.venv-docs/.stamp: requirements/docs.txt | $(UV)
	$(UV) venv -q --clear --python $(PY) .venv-docs
	$(UV) pip install -q --python .venv-docs/bin/python -r requirements/docs.txt
	@touch $@

COMPILE := $(UV) pip compile -q --universal --python-version 3.10 --no-header --no-annotate -c requirements/pins.in

lock: $(UV)  ## pin the requirements anew from pyproject.toml
	$(COMPILE) --all-extras --group dev --group build pyproject.toml -o requirements/test.txt
	$(COMPILE) --group build -c requirements/test.txt pyproject.toml -o requirements/demo.txt
	$(COMPILE) --group runtime -c requirements/test.txt -o requirements/runtime.txt
	$(COMPILE) --group docs -o requirements/docs.txt

clean:  ## remove caches and build results; the environment stays
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Promptlet needs Python 3.10 or newer; $(PYTHON) is not: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -q --disable-pip-version-check uv==0.13.9

# The files in requirements/ bind versions (-c) and ask for nothing, so a PyTorch that is there already stays,
# without the CUDA packages that the one from PyPI brings.
INSTALL := $(UV) pip install -q --compile-bytecode --python $(PY) --no-build-isolation

$(DEMO): requirements/demo.txt pyproject.toml | $(UV)
	$(INSTALL) -c requirements/demo.txt --group build
	$(INSTALL) -c requirements/demo.txt --editable .
	@touch $@

$(TESTS): requirements/test.txt $(DEMO)
	$(INSTALL) -c requirements/test.txt --group dev --editable '.[$(EXTRAS)]'
	@touch $@
