# Each task sets up what it needs. Prerequisites: Python 3.10 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := fieldpulse_api fieldpulse_plugin tap_fieldpulse target_fieldpulse fieldpulse_cli fieldpulse_sandbox tests benchmarks scripts

.DEFAULT_GOAL := help
.PHONY: help demo meltano test matrix lint check fix docs sandbox snap record record-live works-with works-with-small answers recipes airbyte accounts image bench scale package check-server vendor-api

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/demo ## run both pipelines through Meltano, on the sandbox and a PostgreSQL of its own (2 minutes)
	$(BIN)/python -m scripts.demo

test: $(VENV)/dev ## run the tests, about 8 minutes on 2 cores; they need no network and no API key
	$(BIN)/pytest -n 6 --dist worksteal

meltano: $(VENV)/demo ## check the page about Meltano in a new project with the real Meltano (5 minutes)
	$(BIN)/python -m scripts.check_meltano

matrix: $(VENV)/dev ## check all 13,000 points of the fault matrix, about an hour (the tests check 170), write the result
	$(BIN)/python -m tests.fault_matrix --write
	$(BIN)/python -m scripts.docs

lint: $(VENV)/dev ## check format, style, types, import contracts, wording and docs (1 minute)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.prose
	$(BIN)/python -m scripts.docs --check
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

check: lint test ## lint and test; CI also runs works-with-small

fix: $(VENV)/dev ## format, fix lint errors, write the generated docs
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/python -m scripts.docs

docs: $(VENV)/dev ## build the documentation and serve it at http://127.0.0.1:8000
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/_build/html 8000

sandbox: $(VENV)/dev ## run a local FieldPulse account at http://127.0.0.1:8787 (API key: sandbox-key)
	$(BIN)/fieldpulse-sandbox

snap: $(VENV)/dev ## rewrite the catalog snapshots; review the diff
	$(BIN)/pytest tests/tap/singer/test_catalog_snapshots.py --snap

record: $(VENV)/dev ## record the cassettes again, on the sandbox
	$(BIN)/python -m scripts.record

record-live: $(VENV)/dev ## record read-only cassettes on a real account: FIELDPULSE_API_KEY=… make record-live
	$(BIN)/python -m scripts.record --live

works-with: $(VENV)/dev ## send real sources into the target, load the tap's output into nine loaders, compare all (25 minutes)
	$(BIN)/python -m tests.works_with.sources
	$(BIN)/python -m tests.works_with

works-with-small: $(VENV)/dev ## the tap's output in three loaders, a small account and a database in New York (1 minute)
	$(BIN)/python -m tests.works_with --scenario zone --customers 15 --dry-run \
		meltanolabs-target-postgres target-duckdb target-jsonl

answers: $(VENV)/dev ## ask the questions of docs/guides/questions-in-sql.md of tables that three real loaders made (1 minute)
	$(BIN)/python -m tests.works_with.answers

recipes: $(VENV)/dev $(VENV)/demo ## run each recipe by Meltano on the sandbox until it has nothing to do, compare the rows (8 minutes)
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python -m tests.recipes

airbyte: $(VENV)/dev ## run airbyte/manifest.yaml in Airbyte's own runtimes on the sandbox, compare the records with the tap's (5 to 12 minutes)
	$(BIN)/python -m tests.airbyte

accounts: $(VENV)/dev ## run many accounts by a real Dagster and Meltano on the sandbox, good and failing ones (6 to 12 minutes)
	$(BIN)/python -m tests.accounts

image: $(VENV)/dev ## build the container image by Podman, as root, and run what Compose and the CronJobs run, on the sandbox (10 minutes)
	$(BIN)/python -m tests.image

bench: $(VENV)/dev ## measure the tap beside other programs and an older build, writes, busy cores, a long history (60 minutes)
	$(BIN)/python -m benchmarks.compare --write
	$(BIN)/python -m benchmarks.cpu --write
	$(BIN)/python -m benchmarks.busy_cores --write
	$(BIN)/python -m benchmarks.start_up --write
	$(BIN)/python -m benchmarks.writes --write
	$(BIN)/python -m scripts.docs
	$(BIN)/python -m benchmarks.history

scale: $(VENV)/dev ## read, compare and look up 100,000 and 1,000,000 rows: is memory constant, time linear? (45 minutes)
	$(BIN)/python -m benchmarks.scale --write
	$(BIN)/python -m scripts.docs

package: $(VENV)/dev $(VENV)/release ## build wheel and sdist into dist/, install them without extras, run every command (1 minute)
	$(BIN)/python -m scripts.check_package $(PYTHONS)

check-server: $(VENV)/release ## let hadolint, systemd, Compose, Kubernetes' schemas and zizmor read the files for servers and GitHub
	$(BIN)/python -m scripts.check_server

vendor-api: $(VENV)/base ## compare the catalogue with FieldPulse's OpenAPI document, from the network
	$(BIN)/python -m pip install --quiet --editable .
	$(BIN)/python -m scripts.vendor_api

$(VENV)/base: pyproject.toml
	@echo "── setting up $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

$(VENV)/dev: $(VENV)/base
	@echo "── installing the development dependencies (about 30 seconds, once)"
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/demo: $(VENV)/base
	@echo "── installing Meltano, PostgreSQL and this project (about a minute, once)"
	$(BIN)/python -m pip install --quiet --editable '.[sandbox,demo]'
	@touch $@

$(VENV)/release: $(VENV)/base
	@echo "── installing the tools for releases (half a minute, once)"
	$(BIN)/python -m pip install --quiet --editable '.[release]'
	@touch $@
