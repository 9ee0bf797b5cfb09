# Everything a checkout needs. `make help` lists it; nothing here asks for rights or for a network
# beyond the package installers' own.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo check test test-all bench bench-large gpu soak chaos fuzz values lock clean

BIN := .venv/bin
CORE := tests/unit tests/integration tests/acceptance
MANY := -n auto --maxprocesses 4
SPREAD := diffusers
GROUPS := $(sort $(notdir $(patsubst %/ready,%,$(wildcard tests/*/ready))))
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --upgrade --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
UV := $(shell command -v uv 2>/dev/null)
ifneq ($(UV),)
INSTALL := uv pip install --quiet --python $(BIN)/python
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(BIN)/.tests ## Make .venv with everything that running, checking and testing needs

demo: $(BIN)/.core ## Start the service, make one picture by its API, say where it is
	@$(BIN)/ferrotype demo

check: $(BIN)/.tests ## Style, types, the house's bands, the catalogue
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src tests bench
	$(BIN)/lint-imports --verbose
	$(BIN)/python -m pytest -q tests/unit/test_catalogue_data.py

test: $(BIN)/.tests ## The core tests: unit, integration, acceptance
	$(BIN)/python -m pytest -q $(MANY) --dist loadfile $(CORE)

test-all: test ## The core tests, then each heavy group (named in FERROTYPE_REQUIRE: no skipping)
	@for group in $(GROUPS); do \
		if reason=$$(tests/$$group/ready 2>&1); then \
			case " $(SPREAD) " in *" $$group "*) many="$(MANY)";; *) many=;; esac; \
			echo "== $$group"; $(BIN)/python -m pytest -q $$many tests/$$group || exit 1; \
		else \
			case ",$$FERROTYPE_REQUIRE," in \
			*,$$group,*) echo "== $$group is required and cannot run: $$reason" >&2; exit 1;; \
			*) echo "== $$group skipped: $$reason";; \
			esac; \
		fi; \
	done

bench: $(BIN)/.tests ## Measure, beside bare baselines, and write docs/performance.md (6 minutes)
	$(BIN)/python -m bench

bench-large: $(BIN)/.tests ## PostgreSQL with ten million tasks, one million of them waiting (10 minutes)
	tests/postgres/ready
	$(BIN)/python -m bench.large

gpu: $(BIN)/.tests ## Models of real size with random weights, bare and through an engine (9 minutes, 45 GB)
	tests/diffusers/ready
	$(BIN)/python -m bench.gpu --out .bench/gpu

soak: $(BIN)/.tests ## 50,000 tasks of ten accounts: memory, handles, threads and disk stay flat
	$(BIN)/python -m bench.soak --tasks 50000

chaos: $(BIN)/.tests ## Kill processes, connections and databases under load (20 minutes)
	$(BIN)/python -m pytest -q tests/endurance/test_kills.py
	tests/postgres/ready
	$(BIN)/python -m bench.chaos --tasks 10000

fuzz: $(BIN)/.tests ## Broken files and URLs for an hour (SECONDS=60 for less): nothing may notice
	$(BIN)/python -m bench.fuzz --seconds $(or $(SECONDS),3600) --keep .bench/fuzz

lock: ## Choose newer versions and write them, with hashes, into requirements/ (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: python3 -m pip install uv" >&2; exit 2; }
	$(COMPILE) pyproject.toml requirements/build.in -o requirements/core.txt
	$(COMPILE) -c requirements/core.txt \
		pyproject.toml requirements/build.in requirements/test.in -o requirements/test.txt
	for group in openapi postgres provenance traces weights; do \
		$(COMPILE) tests/$$group/requirements.in -o tests/$$group/requirements.txt || exit 1; \
	done
	$(COMPILE) -c requirements/test.txt --override tests/diffusers/without.txt \
		tests/diffusers/requirements.in -o tests/diffusers/requirements.txt

values: $(BIN)/.tests ## Draw every model at every value that shapes its output (15 minutes)
	$(BIN)/python -m pytest -q tests/heavy/test_every_value.py

clean: ## Remove what these targets made, .venv and the demo's data included
	rm -rf .venv tests/openapi/.venv tests/postgres/.server tests/traces/.otel tests/provenance/.c2pa tests/weights/.hub tests/diffusers/.torch .demo .bench build dist src/*.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "Making .venv ..."
ifneq ($(UV),)
	@uv venv --quiet --python '>=3.11' .venv
else
	@for python in python3.14 python3.13 python3.12 python3.11 python3; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Ferrotype needs Python 3.11 or newer: sudo apt-get install python3 python3-venv" >&2; \
		exit 2; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "This Python cannot make environments: sudo apt-get install python$$version-venv" >&2; \
		exit 2; \
	fi; \
	$$python -m venv .venv
endif

$(BIN)/.core: requirements/core.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the service needs (once; about 80 MB) ..."
	@[ -n "$(UV)" ] || $(BIN)/python -m pip --version >/dev/null 2>&1 || \
		$(BIN)/python -m ensurepip --default-pip >/dev/null
	@$(INSTALL) --require-hashes -r requirements/core.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.tests: requirements/test.txt $(BIN)/.core
	@echo "Installing what the checks and tests need (once; about 150 MB) ..."
	@$(INSTALL) --require-hashes -r requirements/test.txt
	@touch $@
