# Needs only Python 3.11 or newer, make and git; uv comes from the package registry when it is not there yet.
SHELL := /bin/bash
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-progress
# Half of the tests' time is waiting for servers: more of them than processors run at once.
WORKERS ?= $(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )))

.PHONY: help setup demo dashboard test check format bench clean

help:  ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv

ifeq ($(UV),.uv/bin/uv)
setup: .uv/bin/uv
endif
setup:  ## install everything into .venv, as uv.lock says
	@$(UV) sync --frozen --quiet

demo: setup  ## run the whole loop on a throw-away PostgreSQL (DEMO_ARGS=--no-dashboard ends without the page)
	@$(RUN) pgattic demo $(DEMO_ARGS)

dashboard: setup  ## open the dashboard on ./pgattic.toml
	@$(RUN) pgattic dashboard

test: setup  ## run the tests
	@$(RUN) pytest --numprocesses $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check: setup  ## format, lint, types, tests: what CI runs
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) pytest --numprocesses $(WORKERS) --dist loadfile $(PYTEST_ARGS)

format: setup  ## format and mend what can be mended
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

bench: setup  ## run the benchmarks and print their figures
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(RUN) python -P $$benchmark || exit 1; done

clean:  ## remove what the targets above made
	rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis
