# `make` is for who develops this toolkit; `inv` (.venv/bin/inv --list) is for who deploys with it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
BIN := .venv/bin
SOURCES := deploylib tasks.py tests benchmarks examples docs
# Projects of their own, which wait for Terraform and containers more than they work: two groups of them run beside the
# other e2e tests.
BESIDE := releases accounts
releases := trust compiled promotion pipeline production_stack
accounts := from_scratch blue_green ci_files service_controllers remote_build
files = $(patsubst %,tests/e2e/test_%.py,$($(1)))

.PHONY: help setup demo test test-fast test-e2e lint types terraform-check format lock clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: ## Install everything that this machine lacks (quick when nothing is missing)
	@$(PYTHON) -m deploylib.toolchain

demo: setup ## Deploy the example application to a local AWS and show what it did
	@$(BIN)/inv local.up
	@$(BIN)/inv infra.apply --env local --yes
	@$(BIN)/inv deploy --env local --yes
	@$(BIN)/inv local.status

test: lint types terraform-check test-fast test-e2e ## Run everything: lint, types, Terraform's tests, fast and e2e tests

test-fast: setup ## Run the tests that need no engine and no network (seconds)
	@$(BIN)/pytest -m "not e2e" -n auto --dist loadfile

test-e2e: setup ## Drive Terraform, the container engine and the local AWS for real (minutes)
	@mkdir -p .cache; running=; failed=0; echo "beside these: $(foreach one,$(BESIDE),$($(one))) (.cache/e2e-*.log)"; \
	$(foreach one,$(BESIDE),$(BIN)/pytest -m e2e -p no:cacheprovider $(call files,$(one)) > .cache/e2e-$(one).log 2>&1 & running+=" $$!";) \
	trap "kill $$running 2> /dev/null || true" EXIT; \
	$(BIN)/pytest -m e2e $(foreach one,$(BESIDE),$(addprefix --ignore=,$(call files,$(one)))) || failed=1; \
	for one in $$running; do wait $$one || failed=1; done; trap - EXIT; \
	cat $(BESIDE:%=.cache/e2e-%.log); exit $$failed

lint: setup ## Check style, imports between rooms, and Terraform's format
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/lint-imports

types: setup ## Check types
	@$(BIN)/mypy

terraform-check: setup ## Format, validate and test the Terraform modules
	@$(BIN)/inv infra.check

format: setup ## Format Python and Terraform
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/inv infra.format

lock: ## Renew the locked requirements (needs uv)
	@for name in runtime dev emulator policy benchmark; do \
		uv pip compile --quiet --upgrade --no-emit-index-url --no-header --no-annotate --generate-hashes \
			--python-version 3.11 --universal requirements/$$name.in -o requirements/$$name.txt; \
	done

clean: ## Remove everything that was made here: local AWS, images, environments, caches
	@$(PYTHON) -m deploylib.localaws.clean
