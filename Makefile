PYTHON ?= python3
PY := .venv/bin/python
RUN := .venv/.runs
ENV := .venv/.installed
PLAY := .venv/.play
BROWSER := .venv/.browser
DOCS := .venv/.docs
# make demo BACKEND=cpu: where PyTorch's own packages can be reached, those without CUDA, ten times smaller.
# Compiled once: a machine that writes no bytecode would compile torch at every start.
UV_INSTALL = $(PY) -m uv pip install --compile-bytecode --python $(PY) -c constraints.txt $(if $(BACKEND),--torch-backend $(BACKEND))
# A process for each core, but no more than this: each of them loads torch.
PYTEST := $(PY) -m pytest -n auto --maxprocesses 8 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo play docs test test-all matrix mutants bench bench-gpu table1 lint format typecheck env clean distclean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUN)  ## draw faces steered by sentences and write a page to look at
	$(PY) sample.py +experiment=demo
	@echo "Now open outputs/demo/index.html"

play: $(PLAY)  ## steer faces in a browser (args="--port 8000 …")
	$(PY) -m sdg play $(args)

test: $(ENV)  ## run the tests, but for the slow ones
	$(PYTEST) -m "not slow"

test-all: $(BROWSER)  ## run every test (those of the page want Chromium: apt-get install chromium)
	$(PYTEST)

matrix: $(ENV)  ## run the tests under other arithmetic, orders and releases (args="--help": which)
	$(PY) tests/matrix.py $(args)

mutants: $(ENV)  ## change the source in many places and see whether the tests notice (about an hour)
	$(PY) tests/mutants.py $(args)

bench: $(ENV)  ## time a step against other ways to compute it, and whole chains beside their quality
	$(PY) -m experiments.benchmark
	$(PY) -m experiments.benchmark.equal

bench-gpu: $(ENV)  ## the same at full size on a GPU: fills the GPU's rows of its targets
	$(PY) -m experiments.benchmark.gpu

table1: $(ENV)  ## draw and measure the paper's table (data=ffhq args="--references-folder DIR …": of public weights)
	$(PY) -m experiments.table1 full $(if $(data),data=$(data)) $(args)

docs: $(DOCS)  ## build the documentation as a site (notebooks run once: SDG_DOCS_NOTEBOOKS=off leaves that out)
	$(PY) -m sphinx -W --keep-going -q -c docs . build/docs
	@echo "Now open build/docs/index.html"

lint: $(ENV) typecheck  ## check style, formatting and types; changes nothing
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(ENV)  ## mend style and formatting in place
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

typecheck: $(ENV)  ## check types
	$(PY) -m mypy

env: $(ENV)  ## make the environment in .venv, or bring it up to date

# What drawing and training need; each file is written last, so an interrupted installation starts again.
$(RUN): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || \
	  { echo "sdg needs Python 3.11, 3.12 or 3.13, which '$(PYTHON)' is not: name one, as in 'make PYTHON=python3.12'" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(UV_INSTALL) -e .
	@touch $@

# What the page in the browser needs besides.
$(PLAY): $(RUN)
	$(UV_INSTALL) -e '.[play]'
	@touch $@

# What the documentation's site needs besides.
$(DOCS): $(RUN)
	$(UV_INSTALL) -e '.[docs]'
	@touch $@

# What developing needs besides.
$(ENV): $(RUN)
	$(UV_INSTALL) -e '.[dev]'
	@touch $@

# What tests in a browser need besides.
$(BROWSER): $(ENV)
	$(UV_INSTALL) -e '.[dev,browser]'
	@touch $@

clean:  ## remove caches and build leftovers
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean  ## also remove .venv; what runs wrote stays
	rm -rf .venv
