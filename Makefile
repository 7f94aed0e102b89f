# Everything a checkout needs, from nothing but Python 3.11+ and make: `make help`.

.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DAGSTER_DIR := data/dagster_home
INSTANCE := dagster.yaml
EXTRAS := ui,bench,avro,postgres,warehouse,exports,dbt,dev

PORT ?= 3000
KAFKA_PORT ?= 9092
KAFKA_DATA ?= data/kafka
TEST_WORKERS ?= 2
PYTEST_ARGS ?=
DBT_ARGS ?= build
BENCH_ARGS ?=
PYTHON ?=

# Only what is installed in .venv counts, whatever the caller's shell has set.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV DAGSTER_HOME
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export DAGSTER_DISABLE_TELEMETRY := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/.cache/home
endif

# Sets $$py to the first interpreter that runs, is new enough and can make an
# environment. Each one is tried by running it: a name on PATH may be a shim that fails.
define find_python
py=; found=; \
for candidate in $(if $(strip $(PYTHON)),"$(PYTHON)",python3.12 python3.11 python3.13 python3 python); do \
	"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' >/dev/null 2>&1 || continue; \
	found="$$candidate"; \
	"$$candidate" -c 'import ensurepip, sqlite3, ssl, venv' >/dev/null 2>&1 && { py="$$candidate"; break; }; \
done; \
if [ -z "$$found" ]; then \
	echo "error: no Python 3.11 to 3.14 found$(if $(strip $(PYTHON)), at PYTHON=$(PYTHON)); install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; \
elif [ -z "$$py" ]; then \
	echo "error: $$found lacks ensurepip, sqlite3 or ssl; install its venv package (Debian, Ubuntu: apt-get install python3-venv) or name another: make PYTHON=/path/to/python3.11" >&2; exit 1; \
fi
endef

.PHONY: help
help: ## Show this list
	@echo "telco_pipeline: a synthetic mobile operator that runs on Dagster"
	@echo
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: $(STAMP) ## Make .venv with the pinned packages (instant when nothing changed)
	@:

$(STAMP): pyproject.toml constraints.txt
	@mkdir -p "$$HOME" 2>/dev/null || true
	@if ! $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		$(find_python); \
		echo "Making $(VENV) with $$py ($$("$$py" -V 2>&1))"; \
		"$$py" -m venv --clear $(VENV); \
	fi
	@echo "Installing the packages of constraints.txt (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt hatchling setuptools
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[$(EXTRAS)]'
	@touch $@

$(DAGSTER_DIR)/dagster.yaml: $(INSTANCE)
	@mkdir -p $(DAGSTER_DIR)
	@cp $(INSTANCE) $@

.PHONY: demo
demo: $(STAMP) $(DAGSTER_DIR)/dagster.yaml ## Run the operator: 5,000 subscribers, 35 days, every dataset, all checks
	@DAGSTER_HOME="$(CURDIR)/$(DAGSTER_DIR)" $(BIN)/telco demo

.PHONY: ui
ui: $(STAMP) $(DAGSTER_DIR)/dagster.yaml ## Open Dagster on http://127.0.0.1:3000 (PORT=...) with a small Kafka broker
	@if [ -z "$$KAFKA_BOOTSTRAP_SERVERS" ]; then set -- $(BIN)/telco broker --; fi; \
	DAGSTER_HOME="$(CURDIR)/$(DAGSTER_DIR)" exec "$$@" $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p $(PORT)

.PHONY: ui-postgres
ui-postgres: ## The same with Dagster's own storage in PostgreSQL (DAGSTER_POSTGRES_DB=... and more)
	@export DAGSTER_POSTGRES_HOST="$${DAGSTER_POSTGRES_HOST:-127.0.0.1}" DAGSTER_POSTGRES_PORT="$${DAGSTER_POSTGRES_PORT:-5432}"; \
	for name in DB USER PASSWORD; do \
		if [ -z "$$(printenv DAGSTER_POSTGRES_$$name)" ]; then \
			echo "error: set DAGSTER_POSTGRES_$$name: the database, its user and password" >&2; exit 1; \
		fi; \
	done; \
	$(MAKE) --no-print-directory ui \
		DAGSTER_DIR=data/dagster_home_postgres INSTANCE=deploy/dagster.yaml

.PHONY: kafka
kafka: $(STAMP) ## Run Apache Kafka on 127.0.0.1:9092 until Ctrl-C (needs Java 17 and Maven; KAFKA_PORT=...)
	@$(BIN)/python deploy/kafka/broker.py run --data $(KAFKA_DATA) --port $(KAFKA_PORT)

.PHONY: test
test: $(STAMP) ## Run the tests without the long tier (PYTEST_ARGS=... to narrow)
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) -m "not long" $(PYTEST_ARGS)

.PHONY: test-full
test-full: $(STAMP) ## Run all tests, the long tier too
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) $(PYTEST_ARGS)

.PHONY: lint
lint: $(STAMP) ## Check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: format
format: $(STAMP) ## Mend style and format where it can be done safely
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: types
types: $(STAMP) ## Check the types
	@$(BIN)/pyright

.PHONY: validate
validate: $(STAMP) ## Load the code location as Dagster would
	@$(BIN)/dagster definitions validate -w workspace.yaml

.PHONY: bench
bench: $(STAMP) ## Measure speed and memory beside the peers (BENCH_ARGS=... for options)
	@$(BIN)/telco bench $(BENCH_ARGS)

.PHONY: detectors
detectors: $(STAMP) ## Write docs/detectors.md: how well detectors find the layers' stories, by difficulty
	@$(BIN)/python -m benchmarks.detectors

.PHONY: dbt
dbt: $(STAMP) ## Build and test dbt's views over the lake (DBT_ARGS="build --target warehouse" for PostgreSQL)
	@$(BIN)/python -m telco_pipeline.dbt_project $(DBT_ARGS)

.PHONY: dictionary
dictionary: $(STAMP) ## Write docs/data-dictionary.md, and dbt's views and tests, from the contracts
	@$(BIN)/python -m telco_pipeline.contracts.dictionary
	@$(BIN)/python -m telco_pipeline.contracts.dbt

.PHONY: screenshots
screenshots: $(STAMP) ## Take the README's pictures of the UI (needs Chromium)
	@$(BIN)/python -c 'import playwright' 2>/dev/null || $(BIN)/python -m pip install --quiet \
		--constraint constraints.txt --no-build-isolation --editable '.[docs]'
	@$(BIN)/python docs/make_screenshots.py

.PHONY: constraints
constraints: ## Resolve the newest allowed packages and write constraints.txt
	@$(find_python); set -e; \
	rm -rf .venv-constraints; \
	"$$py" -m venv .venv-constraints; \
	.venv-constraints/bin/python -m pip install --quiet --upgrade hatchling setuptools '.[$(EXTRAS),sqlserver,docs]'; \
	{ \
		echo "# Exact versions of all packages, extras and the build backend included."; \
		echo "# Made by 'make constraints' ($$("$$py" -V 2>&1)); do not edit by hand."; \
		.venv-constraints/bin/python -m pip freeze --all --exclude pip --exclude telco-pipeline; \
	} > constraints.txt.new; \
	if grep -nE '://| @ |^-e' constraints.txt.new; then \
		echo "error: a version is a location; constraints.txt is unchanged" >&2; exit 1; \
	fi; \
	mv constraints.txt.new constraints.txt; \
	rm -rf .venv-constraints

.PHONY: clean
clean: ## Remove .venv and caches; data/ stays
	rm -rf dbt_checks/target dbt_checks/logs
	rm -rf $(VENV) .venv-constraints .cache .pytest_cache .ruff_cache .hypothesis build dist constraints.txt.new
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
