# Two commands do it all: 'make demo' and 'make test'. PYTHON names another interpreter (3.11+).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO := build/demo
WORLD := build/world
LOOP := build/loop
BROKER := build/broker
# Processes that share the tests.
TESTERS ?= 2
MPLCONFIGDIR ?= build/matplotlib
export MPLCONFIGDIR
# Where these are set, pytest ends with whole messages of failed tests instead of a line each.
unexport CI BUILD_NUMBER
# Hundreds of processes are started: each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

# Made anew each time, of what the code is now.
.PHONY: $(BROKER) demo demo-world demo-loop test check browser bench accuracy world desk pages pictures connectors release docs lock clean
.DEFAULT_GOAL := demo

$(VENV)/run.stamp: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "keepwell needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-compile --require-hashes --no-deps -r requirements.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	$(PIP) install --quiet --no-compile --require-hashes --no-deps -r requirements-dev.txt
	touch $@

demo: $(VENV)/run.stamp
	mkdir -p $(DEMO) $(MPLCONFIGDIR)
	cp -r examples/fartrans/. $(DEMO)/
	$(BIN)/keepwell demo --workspace $(DEMO)

# The same job on a simulated broker of 20,000 clients, whose truth is known.
demo-world: $(VENV)/run.stamp
	mkdir -p $(MPLCONFIGDIR)
	$(BIN)/keepwell world new --clients 20000 --days 600 --seed 7 --out $(WORLD)
	$(BIN)/keepwell demo --workspace $(WORLD)

# A year of the loop in a simulated broker of 100,000 clients, beside rivals and the truth.
demo-loop: $(VENV)/run.stamp
	mkdir -p $(MPLCONFIGDIR)
	$(BIN)/keepwell rehearse --clients 100000 --days 365 --seed 7 --out $(LOOP)

# While the types are checked on one core, Chromium comes by the network, and the other core
# compiles the kernels and makes the broker that the tests of the pages look at.
test: $(VENV)/dev.stamp
	+$(MAKE) --no-print-directory -j3 check browser $(BROKER)
	KEEPWELL_BROKER=$(abspath $(BROKER)) $(BIN)/python -m pytest -q -n $(TESTERS) --dist worksteal

$(BROKER): $(VENV)/dev.stamp
	mkdir -p $(MPLCONFIGDIR)
	$(BIN)/python -m tests.e2e.broker $@

check: $(VENV)/dev.stamp
	mkdir -p $(MPLCONFIGDIR)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Report and pages are opened in a real Chromium, and MySQL as a source is read from a real MariaDB,
# which are fetched where they can be.
browser:
	@missing=; command -v chromium >/dev/null || missing="chromium"; \
	command -v mariadbd >/dev/null || missing="$$missing mariadb-server-core"; \
	test -z "$$missing" || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
		apt-get install -qq -y --no-install-recommends $$missing >/dev/null; } || echo "install $$missing, or the tests of pages and of MySQL fail"

bench: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/indicators.py --markdown docs/reference/benchmarks-indicators.md

accuracy: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/accuracy.py --data examples/fartrans/data --markdown

# Everything about the simulated broker that docs/ prints: fidelity, reasons, interference, speed.
world: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/world_fidelity.py --markdown
	$(BIN)/python benchmarks/world_reasons.py --markdown
	$(BIN)/python benchmarks/world_interference.py --markdown docs/reference/world-interference.md
	$(BIN)/python benchmarks/world_speed.py --markdown

# The desk under load, on SQLite and PostgreSQL: docs/reference/benchmarks-desk.md.
desk: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/desk.py --markdown

pages: $(VENV)/dev.stamp browser
	$(BIN)/python benchmarks/pages.py --markdown

# What each kind of source costs: docs/reference/benchmarks-connectors.md.
connectors: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/connectors.py --rows 60000 --rounds 2 --markdown docs/reference/benchmarks-connectors.md

# The pictures that docs/ shows, taken by the tests of the pages.
pictures: $(VENV)/dev.stamp browser
	KEEPWELL_PICTURES=1 $(BIN)/python -m pytest -q tests/e2e/test_browser.py

# The release column of the tests: hours; what comes out is kept in docs/evidence/.
release: $(VENV)/dev.stamp browser
	$(BIN)/python benchmarks/release.py

docs: $(VENV)/dev.stamp
	$(BIN)/python docs/generate.py

COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-annotate --python-version 3.11

lock: $(VENV)/dev.stamp
	$(COMPILE) --output-file requirements.txt requirements.in pyproject.toml
	$(COMPILE) --extra dev --constraint requirements.txt --output-file requirements-dev.txt requirements.in pyproject.toml

clean:
	rm -rf build $(VENV)
