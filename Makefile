# One list of tasks, used by people and by CI alike. Needs Python 3.11+ and make; everything else goes into .venv.
PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
WORKERS ?= 4
PYTEST  := $(BIN)/python -m pytest
READY   := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help .env dev test test-rules test-workflow test-e2e test-stateful chaos chaos-payments test-containers replay histories screenshots bench lint format lock

help: ## list the tasks
	@grep -hE '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z.-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what requirements.lock pins into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.env: ## secrets for docker compose (mode 0600): made once, kept as they are; a missing one is added
	@umask 077 && touch .env && chmod 600 .env && for name in POSTGRES_PASSWORD CHECKOUT_SECRET_KEY \
		CHECKOUT_ADMIN_TOKEN CHECKOUT_GATEWAY_API_KEY CHECKOUT_GATEWAY_WEBHOOK_SECRET; do \
		grep -q "^$$name=" .env || echo "$$name=$$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >> .env; done
	@echo "the secrets are in .env: keep it, the database's volume knows its password"

dev: $(READY) ## run the whole shop back end: Postgres, Temporal, gateway, worker, API
	@exec $(BIN)/checkout dev

test: $(READY) ## all tests: rules, workflow, end to end, replay
	$(PYTEST) -n $(WORKERS)

test-rules: $(READY) ## the pure rules only: no server, seconds
	$(PYTEST) tests/domain

test-workflow: $(READY) ## the workflow with time skipping and real activities on the embedded Postgres
	$(PYTEST) -n $(WORKERS) tests/workflows tests/activities tests/store tests/payments tests/runtime

test-e2e: $(READY) ## end to end: real processes, real HTTP
	$(PYTEST) -n $(WORKERS) tests/api tests/cli tests/deploy tests/e2e tests/operate

STATEFUL_EXAMPLES ?= 200
test-stateful: $(READY) ## a shop at random, at length: STATEFUL_EXAMPLES (200) histories, others each time (or those of SEED)
	@seed=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; \
	echo "these again: make test-stateful STATEFUL_EXAMPLES=$(STATEFUL_EXAMPLES) SEED=$$seed"; \
	STATEFUL_EXAMPLES=$(STATEFUL_EXAMPLES) $(PYTEST) -n $(WORKERS) --timeout=0 --hypothesis-seed=$$seed \
		tests/workflows/test_stateful.py tests/activities/test_stateful.py tests/activities/test_no_drift.py

chaos: $(READY) ## the whole crash matrix: every process killed in the middle of every phase, and a storm of kills
	$(PYTEST) -m "chaos or not chaos" tests/e2e/test_crash_matrix.py

RUNS ?= 1000
chaos-payments: $(READY) ## payments in every order: RUNS (1000) runs from SEED on, other ones each time; what broke a promise says its seed
	CHAOS_RUNS=$(RUNS) CHAOS_SEED=$(or $(SEED),$$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')) $(PYTEST) -rA -n $(WORKERS) tests/chaos

test-containers: $(READY) ## the store's and the activities' tests on PostgreSQL in a container (needs Docker)
	$(PYTEST) -n $(WORKERS) --stack=containers tests/store tests/activities

replay: $(READY) ## replay every recorded history against the workflow as it is now
	$(PYTEST) tests/replay

histories: $(READY) ## record the histories of all paths (or of PATHS="NAME …") from the real stack into tests/histories
	$(BIN)/python -m tests.histories.record $(PATHS)

screenshots: $(READY) ## the pictures of docs/operate, taken from a shop in which things are stuck (needs Chromium)
	$(BIN)/python -m tests.operate.screenshots

bench: $(READY) ## measure against a bare workflow, in one run
	$(BIN)/python -m bench

lint: $(READY) ## ruff, mypy strict, one-way imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## rewrite the code in the one style
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: $(READY) ## pin what is installed now
	$(BIN)/python -m pip freeze --exclude-editable | grep -v '^pip==' > requirements.lock
