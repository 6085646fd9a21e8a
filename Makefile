# make demo: see it work.  make test: all tests but the long ones, with a real Kafka.  Needs Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
WHAT_IS_INSTALLED := pyproject.toml constraints.txt

.PHONY: demo test test-all lint bench chaos up down clean

demo: .venv/runtime.stamp  ## replay sample orders through an in-process broker, load, verify, query
	$(BIN)/loader demo

test: .venv/test.stamp  ## the tests; the first run fetches Kafka (46 MB) into the user's cache folder
	$(BIN)/python -m pytest -m "not long" $(ARGS)

test-all: .venv/test.stamp  ## the long ones too
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/test.stamp  ## speed as a share of what this machine can do; ARGS="--history", ARGS="--help"
	$(BIN)/python -m tests.benchmarks $(ARGS)

chaos: .venv/test.stamp  ## break everything at random, then judge; ARGS="--warehouse duckdb --kills 100 --seed 7"
	$(BIN)/python -m tests.chaos $(ARGS)

up:  ## Kafka, a producer of sample orders and the loader, in containers
	docker compose up --build --detach

down:  ## stop them; the volumes stay (docker compose down --volumes removes them)
	docker compose down

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/runtime.stamp: $(WHAT_IS_INSTALLED) | .venv/bin/python
	$(INSTALL) -e .
	@touch $@

.venv/test.stamp: $(WHAT_IS_INSTALLED) | .venv/bin/python
	$(INSTALL) -e '.[test]'
	@touch $@ .venv/runtime.stamp
