# Pulse with two commands: `make run` starts everything, `make demo` trades with it.
# ARGS passes options on: make run ARGS="--gapi-port 9000 --data-dir /tmp/second"

VENV := .venv
BIN := $(VENV)/bin
# The first of these that runs and is new enough.
PYTHON ?= python3 python3.11 python3.12 python3.13 python3.14
INSTALLED := $(VENV)/.installed
ARGS ?=
SECONDS ?= 60
CASES ?= 20000
SEED ?= 1
SLICES ?= 5000
MIGRATED ?= 1000000
RATE ?= 10
FAULTS ?= *
SAMPLE ?= 0
DAYS ?= 250
A_DAY ?= 5000
TURN ?= 0
# Tests wait more than they work: three at once keep two cores busy.
AT_ONCE ?= 3
TYPESCRIPT ?= 5.9.3

.DEFAULT_GOAL := help
.PHONY: help setup run demo test web hosts failover rabbitmq upgrade migrations fuzz faults chaos halt restore operations attack containers systemd mutants
.PHONY: bench year lint lint-web format clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(INSTALLED) ## Make .venv and install the tested versions

run: $(INSTALLED) ## Start everything, until Ctrl-C
	@exec $(BIN)/pulse up $(ARGS)

demo: $(INSTALLED) ## Trade 100 shares in 5 slices and check the result against the exchange
	@exec $(BIN)/pulse demo $(ARGS)

test: $(INSTALLED) ## Run the suite against real servers
	@exec $(BIN)/python -m pytest -n $(AT_ONCE) --ignore=tests/rigs/chaos --ignore=tests/rigs/fuzz --ignore=tests/rigs/operations --ignore=tests/web $(ARGS)

web: $(INSTALLED) ## Use the page in a real browser; without Chromium the tests are skipped
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[web-test]'
	@exec $(BIN)/python -m pytest --timeout 600 tests/web $(ARGS)

hosts: $(INSTALLED) ## Cut hosts off, in one direction or both, as root; a part of the suite
	@exec $(BIN)/python -m pytest -n 2 tests/hosts --ignore=tests/hosts/test_failover.py --ignore=tests/hosts/test_rabbitmq.py --ignore=tests/hosts/test_upgrade.py tests/rigs/chaos/test_host.py $(ARGS)

failover: $(INSTALLED) ## Lose the primary under load, with a synchronous standby and without, and the standby; a part of the suite
	@exec $(BIN)/python -m pytest -n 2 tests/hosts/test_failover.py tests/rigs/chaos/test_lost_commits.py $(ARGS)

rabbitmq: $(INSTALLED) ## Trade with RabbitMQ as the queue, and kill it; a part of the suite
	@exec $(BIN)/python -m pytest tests/hosts/test_rabbitmq.py $(ARGS)

upgrade: $(INSTALLED) ## Upgrade what is two revisions old while orders come in; takes the history of git
	@exec $(BIN)/python -m pytest tests/hosts/test_upgrade.py $(ARGS)

migrations: $(INSTALLED) ## The same with a million slices in the tables, in six minutes: MIGRATED=1000000
	@MIGRATED_SLICES=$(MIGRATED) $(BIN)/python -m pytest -s tests/rigs/migrations/trial.py $(ARGS)

fuzz: $(INSTALLED) ## Send both services what their specifications allow and forbid: CASES=20000
	@CASES=$(CASES) $(BIN)/python -m pytest -n 2 -p no:warnings --timeout 3600 tests/rigs/fuzz $(ARGS)

faults: $(INSTALLED) ## Kill and stop processes at every failpoint, and a minute of chaos
	@exec $(BIN)/python -m pytest -n 2 tests/rigs/chaos $(ARGS)

chaos: $(INSTALLED) ## Kill, stop and flush everything under load, then judge: SECONDS=600 SEED=1 FAULTS='kill-*'
	@exec $(BIN)/python -m tests.rigs.chaos --seconds $(SECONDS) --seed $(SEED) --faults '$(FAULTS)' $(ARGS)

halt: $(INSTALLED) ## Halt a rush and kill everything meanwhile, as the exchange sees it: SLICES=5000 RATE=10, twice 500 s
	@exec $(BIN)/python -m tests.rigs.halt --slices $(SLICES) --rate $(RATE) --kill $(ARGS)

restore: $(INSTALLED) ## Set the database back 15 s while the exchange goes on, and see that nothing is bought twice; a minute
	@RESTORED_BACK=15 $(BIN)/python -m pytest tests/rigs/restore $(ARGS)

operations: $(INSTALLED) ## Follow the pages for operators to the letter: install, three hosts, lose every part; four minutes
	@exec $(BIN)/python -m pytest -n 2 --dist loadfile tests/rigs/operations $(ARGS)

attack: $(INSTALLED) ## Flood a stack and print how honest orders and cancels fare: ARGS="--seconds 30"
	@exec $(BIN)/python -m tests.rigs.attack $(ARGS)

containers: $(INSTALLED) ## Build the images, bring docker-compose.yml up, trade, kill each container: takes root on Linux, no Docker
	$(BIN)/python -m tests.rigs.containers

systemd: $(INSTALLED) ## Boot a systemd, start the units of deploy/systemd, kill and stop each while orders trade: takes root on Linux
	@exec $(BIN)/python -m tests.rigs.systemd

mutants: $(INSTALLED) ## See each deliberate defect in a copy of the source caught by its tests; some by turns: SAMPLE=6 TURN=1
	@exec $(BIN)/python -m tests.rigs.mutants --sample $(SAMPLE) --turn $(TURN) $(ARGS)

bench: $(INSTALLED) ## Measure beside the floors of this machine; ARGS=--quick for ten minutes, "--rows endurance" for half an hour of load
	@exec $(BIN)/python -m bench $(ARGS)

year: $(INSTALLED) ## Compare a day of history with a year of it, and with its archive: DAYS=250 A_DAY=5000, half an hour
	@exec $(BIN)/python -m bench.year --days $(DAYS) --slices $(A_DAY) $(ARGS)

lint: $(INSTALLED) ## Check style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-web: ## Check the types of the page's scripts, where npx is and finds TypeScript
	@if npx --yes --package typescript@$(TYPESCRIPT) tsc --version >/dev/null 2>&1; then \
	  npx --yes --package typescript@$(TYPESCRIPT) tsc --project gapi_app/web/jsconfig.json; \
	else echo "No npx that finds TypeScript: the types of the page's scripts were not checked"; fi

format: $(INSTALLED) ## Bring the code into its format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Remove .venv and caches; data in .pulse stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): setup.cfg constraints.txt
	@set -e; \
	for python in $(BIN)/python $(PYTHON); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break || python=; \
	done; \
	test -n "$$python" || { echo "No Python 3.11 or newer among: $(PYTHON). Install one, or name it: make run PYTHON=/path/to/python3" >&2; exit 1; }; \
	test "$$python" = $(BIN)/python || { \
	  echo "Making $(VENV) with $$python"; \
	  $$python -m venv --clear $(VENV) || { echo "$$python cannot make a virtual environment: install its venv module (Debian: python3-venv)" >&2; exit 1; }; \
	}
	@echo "Installing into $(VENV); this takes a minute or two the first time"
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[ops,embedded,test,lint]'
	@touch $@
