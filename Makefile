# Two commands are enough on a machine with Python 3.11 or newer: make demo, and make test.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

# What the sandbox needs; and what working on the code needs besides.
.venv/sandbox: requirements.txt requirements-sandbox.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-sandbox.txt
	touch $@

.venv/all: .venv/sandbox requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

help: ## print this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/all ## make .venv with all that is needed

demo: .venv/sandbox ## perform an attack on the sandbox, and the response to it, before your eyes
	$(BIN)/python -m sandbox demo

serve: .venv/sandbox ## keep the sandbox up after an attack, with the incident waiting on the API for you
	$(BIN)/python -m sandbox serve

test: setup ## run all tests, in parallel
	$(BIN)/python -m pytest -n auto

check: setup ## format, lint, types, layers, and whether all that is generated is current
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

bench: setup ## measure: time and calls of a response, cold start, redelivery
	$(BIN)/python -m sandbox bench

bench-peers: .venv/sandbox ## measure Cloud Custodian and the Azure CLI on the sandbox beside us, each in its own environment
	$(BIN)/python -m sandbox.peers

docs: setup ## write anew what is generated
	$(BIN)/python -m docs.generate

rights: setup ## write anew the roles and the Graph permissions that infra/ deploys
	$(BIN)/python -m docs.rights

PIN_PEER := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate
PIN := $(PIN_PEER) pyproject.toml
pins: setup ## compile the requirements anew from pyproject.toml; UPGRADE=--upgrade takes the newest
	$(PIN) $(UPGRADE) -o requirements.txt
	$(PIN) $(UPGRADE) --group sandbox -c requirements.txt -o requirements-sandbox.txt
	$(PIN) $(UPGRADE) --group sandbox --group dev -c requirements-sandbox.txt -o requirements-dev.txt
	printf 'c7n\nc7n-azure\n' | $(PIN_PEER) $(UPGRADE) - -o sandbox/peers/custodian.txt
	echo azure-cli | $(PIN_PEER) $(UPGRADE) - -o sandbox/peers/cli.txt
	echo checkov | $(PIN_PEER) $(UPGRADE) - -o tests/infra/checkov.txt

.PHONY: help setup demo serve test check bench docs rights pins
