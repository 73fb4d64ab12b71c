# Everything a person or a pipeline runs. `make help` lists it.
STACK ?= local
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
MLDEPLOY := $(BIN)/mldeploy
SDKS_local :=
SDKS := $(if $(filter-out local,$(STACK)),cloud)

# Byte code is kept: the cloud SDKs take minutes to compile, and every engine, provider and replica is a process.
export PYTHONDONTWRITEBYTECODE =

.PHONY: azure-tools help wheel setup setup-dev setup-cloud up preview refresh down score status lint format test test-kubernetes test-reliability test-seeds lock schema docs policy pipeline-tools clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

$(UV): requirements/bootstrap.txt
	@test -x $(BIN)/python || $(PYTHON) scripts/make_venv.py .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $(UV)

.venv/.base: $(UV) requirements/base.txt pyproject.toml
	@echo "installing mldeploy into .venv"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/base.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.cloud: .venv/.base requirements/cloud.txt
	@echo "installing the Azure and Kubernetes SDKs into .venv"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/cloud.txt
	@touch $@

.venv/.dev: .venv/.base requirements/dev.txt
	@echo "installing the development tools into .venv"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

setup: .venv/.base ## Install mldeploy (.venv/bin/mldeploy)
setup-cloud: .venv/.cloud ## ... and the Azure and Kubernetes SDKs
setup-dev: .venv/.dev ## ... and what the tests and linters need

up: .venv/.base $(if $(SDKS),.venv/.cloud) ## Deploy STACK (default: local)
	@$(MLDEPLOY) up --stack $(STACK) --yes

preview: .venv/.base $(if $(SDKS),.venv/.cloud) ## Show what `up` would change in STACK
	@$(MLDEPLOY) preview --stack $(STACK)

refresh: .venv/.base $(if $(SDKS),.venv/.cloud) ## Find drift in STACK
	@$(MLDEPLOY) refresh --stack $(STACK) --yes

down: .venv/.base $(if $(SDKS),.venv/.cloud) ## Destroy STACK
	@$(MLDEPLOY) destroy --stack $(STACK) --yes

status: .venv/.base ## Show the services of STACK
	@$(MLDEPLOY) status --stack $(STACK)

score: .venv/.base ## Send the golden requests to both sample services of STACK
	@$(MLDEPLOY) score diabetes --stack $(STACK) --data golden/diabetes.json
	@$(MLDEPLOY) score digits --stack $(STACK) --data golden/digit.png

lint: .venv/.dev ## ruff and pyright
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright

format: .venv/.dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

test: .venv/.dev ## The default test suite, a file at a time on each processor
	@$(BIN)/python -m pytest -n auto --dist loadfile

test-kubernetes: .venv/.dev ## Services on a real API server (builds one from Go modules, ten minutes once)
	@$(BIN)/python -m tests.kubernetes.suite

test-docker: .venv/.dev ## Real images on a Docker engine of the tests' own (Debian's docker.io, root)
	@$(BIN)/python -m pytest -m docker

test-reliability: .venv/.dev ## Faults, load and fuzzing
	@$(BIN)/python -m pytest -m reliability

SEEDS ?= 20
test-seeds: .venv/.dev ## Whole Azure stacks on SEEDS days that are drawn: delays, throttling, late lists
	@AZURE_SEEDS=$(SEEDS) $(BIN)/python -m pytest -m '' tests/azure/test_azure_behaves.py

azure-tools: .venv/.dev ## Fetch what the deeper Azure tests use into .cache: Azurite, azure-ai-ml, checkov
	@npm install --silent --no-audit --no-fund --prefix .cache/azurite azurite@3
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python .cache/azure-ai-ml
	@$(UV) pip install --quiet --python .cache/azure-ai-ml/bin/python 'azure-ai-ml>=1.31,<2'
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python .cache/checkov
	@$(UV) pip install --quiet --python .cache/checkov/bin/python 'checkov>=3.2,<4'

wheel: .venv/.base ## Build dist/*.whl: the tool with everything in it
	@$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist .

schema: .venv/.base ## Rewrite manifest.v1.schema.json
	@$(MLDEPLOY) schema --output manifest.v1.schema.json

LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header
lock: $(UV) ## Rewrite the locks in requirements/ (dev first: the others are subsets of it)
	@$(LOCK) requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(LOCK) pyproject.toml --all-extras --group test --group lint --group serving --group docs -o requirements/dev.txt
	@$(LOCK) pyproject.toml --all-extras -o requirements/cloud.txt -c requirements/dev.txt
	@$(LOCK) pyproject.toml -o requirements/base.txt -c requirements/dev.txt

pipeline-tools: ## Build actionlint into .cache/bin, for the tests of the pipelines (needs Go)
	@GOBIN=$(CURDIR)/.cache/bin go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7

docs: .venv/.dev ## Build the documentation into site/ (fails on a warning or a dead link)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

policy: .venv/.dev $(if $(SDKS),.venv/.cloud) ## Check the plan of STACK against the policy pack, with each engine that is there
	@$(MLDEPLOY) preview --stack $(STACK) --policy-pack policy --engine embedded
	@if command -v pulumi > /dev/null; then \
	  $(MLDEPLOY) preview --stack $(STACK) --policy-pack policy --engine pulumi; \
	else echo "the Pulumi CLI is not on PATH: checked with the embedded engine only"; fi

clean: ## Remove what was built (not the state)
	@rm -rf build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis
