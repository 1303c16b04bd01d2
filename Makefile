.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-servers test-live coverage bench reliability contracts chaos fuzz lint format docs lock clean

PYTHON ?= python3
PORT ?= 3000
UI ?= 1
BIN := .venv/bin
export DAGSTER_HOME := $(CURDIR)

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/ready ## Install everything, pinned, into .venv

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "fullstory_assets needs Python 3.10 to 3.13; choose one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv --clear .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

demo: .venv/ready ## Load a day of made-up events into data/demo, then show the UI (UI=0: do not)
	@$(BIN)/fullstory-assets demo --port $(PORT) $(if $(filter 0,$(UI)),--no-ui)

dev: .venv/ready ## Run Dagster with your fullstory.yaml
	@$(BIN)/fullstory-assets dev --port $(PORT)

test: .venv/ready ## Run all tests
	$(BIN)/pytest --numprocesses 2

test-servers: .venv-bigquery/ready ## Install the stand-in for BigQuery, which the tests need (Python 3.13, 800 MB)

BIGQUERY := fullstory_assets_tests/bigquery_server
.venv-bigquery/ready: $(BIGQUERY)/requirements.lock $(BIGQUERY)/extensions.py | .venv/ready
	PYENV_VERSION=3.13 $(BIN)/uv venv --quiet --clear --python 3.13 .venv-bigquery
	$(BIN)/uv pip sync --quiet --require-hashes --python .venv-bigquery/bin/python $(BIGQUERY)/requirements.lock
	mkdir -p .venv-bigquery/home
	HOME=$(CURDIR)/.venv-bigquery/home .venv-bigquery/bin/python $(BIGQUERY)/extensions.py
	@touch $@

test-live: .venv/ready ## What every warehouse has to pass, on your own (WAREHOUSE=redshift|bigquery|snowflake|postgres|duckdb)
	@$(BIN)/python -m fullstory_assets_tests.live $(WAREHOUSE)

coverage: .venv/ready ## Run all tests and show which lines they miss
	$(BIN)/pytest --numprocesses 2 --cov --cov-report=term-missing:skip-covered

bench: .venv/ready ## Measure speed and memory anew, into docs/performance.md (forty minutes)
	$(BIN)/python -m benchmarks.transform --write
	$(BIN)/python -m benchmarks.load --write
	$(BIN)/python -m benchmarks.models --write
	$(BIN)/python -m benchmarks.ticks --write
	$(BIN)/python -m benchmarks.backfill --write

reliability: .venv/ready ## Break it in every way, count the rows, into docs/reliability.md
	$(BIN)/python -m fullstory_assets_tests.reliability --write

contracts: .venv/ready ## Run what every warehouse and storage has to pass, into docs/
	$(BIN)/python -m fullstory_assets_tests.contracts --write
	$(BIN)/pytest --numprocesses 2 -m long $(addprefix fullstory_assets_tests/test_,cut_over.py dbt.py live.py models_assets.py models_engines.py models_update.py)

chaos: .venv/ready ## The same with hundreds of kills, for much longer
	$(BIN)/python -m fullstory_assets_tests.reliability --long --write

fuzz: .venv/ready ## Five minutes of broken files against the reader, on Linux (SECONDS=3600: an hour)
	$(BIN)/python -m fullstory_assets_tests.reliability.fuzz --seconds $(or $(SECONDS),300)

lint: .venv/ready ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright

format: .venv/ready ## Mend style and format where a tool can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/ready ## Write the tables of settings, faults and models anew
	$(BIN)/python -m fullstory_assets_tests.lineage
	$(BIN)/python -c "from pathlib import Path; from fullstory_assets.config.docs import write_settings_table as w; w(Path('README.md'))"
	$(BIN)/python -c "from pathlib import Path; from fullstory_assets.sandbox.docs import write_fault_table as w; w(Path('docs/sandbox.md'))"
	$(BIN)/python -c "from pathlib import Path; from fullstory_assets.models.docs import write_models as w; w(Path('docs/models.md'))"
	$(BIN)/python -c "from pathlib import Path; from fullstory_assets.hauser.docs import write_hauser_table as w; w(Path('docs/from-hauser.md'))"

lock: .venv/ready ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.10 --all-extras --group dev \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o requirements.lock
	$(BIN)/uv pip compile $(BIGQUERY)/requirements.in --universal --python-version 3.13 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o $(BIGQUERY)/requirements.lock

clean: ## Remove .venv, caches, and the demo's data (not yours)
	rm -rf .venv .venv-bigquery .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov dist .nux .telemetry .logs_queue logs .fuzz data/demo data/sandbox data/benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
