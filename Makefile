# Klemheist: `make demo` shows it, `make test` proves it. Both set everything up by themselves, in .venv.
# Needed on the machine: make, and Python 3.11 or later (PYTHON=… chooses one).

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FETCH_BOARD := $(BIN)/python .ci/fetch_board.py
ROOMS := actors face supervisors transports
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test pykka-suite lint types bench docs soak clean boards FORCE

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

demo: build/.installed-all  ## the main job, told as it happens, on the embedded board
	@$(FETCH_BOARD)
	@$(BIN)/klemheist demo $(ARGS)

test: lint types boards pykka-suite  ## lint, types, tests (ARGS="-k name" chooses tests)
	@$(FETCH_BOARD)
	$(BIN)/python -m pytest $(ARGS)

pykka-suite: build/.installed-test  ## Pykka's own tests on our actors
	$(BIN)/python -m tests.pykka_suite

lint: build/.installed-test  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: build/.installed-test  ## mypy, strict: the package, and typed use of it
	$(BIN)/mypy -p klemheist
	$(BIN)/mypy tests/typing_api.py

bench: build/.installed-bench boards  ## against the bare link, Belay and mpremote
	@$(FETCH_BOARD)
	$(BIN)/python -m tests.bench $(ARGS)

docs: build/.installed-test  ## write docs/reference from the docstrings
	$(BIN)/python docs/generate.py

soak: build/.installed-test boards  ## long rounds: 200 faults, 20,000 endings of sessions, 100,000 crashes in a tree, 20,000 calls, 5,000 interrupts
	@$(FETCH_BOARD)
	$(BIN)/python -m tests.faults.round --faults 200 $(ARGS)
	$(BIN)/python -m tests.endings.round --endings 20000
	$(BIN)/python -m tests.supervisors.crash_round
	$(BIN)/python -m tests.faults.endurance
	$(BIN)/python -m tests.faults.interrupts --interrupts 5000

clean:  ## remove what was built or installed here
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# -- set-up --------------------------------------------------------------------------------------------

.venv/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "needs Python 3.11 or later: install it, or say make PYTHON=/path/to/python"; exit 1; }
	@echo "Making the virtual environment .venv with $(PYTHON) …"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }

# A strict editable install is a tree of links: it is made anew when a file of ours comes or goes. The
# list lies in build/ as the links do, so that removing build/ or .venv/ installs again.
build/.files: FORCE
	@mkdir -p build
	@find $(ROOMS) -type f ! -name '*.pyc' | LC_ALL=C sort > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

build/.installed-%: .venv/pyvenv.cfg build/.files pyproject.toml setup.cfg
	@echo "Installing klemheist[$*] into .venv …"
	@$(PIP) install --editable ".[$*]"
	@touch $@

boards:  # the tests' emulated micro:bit, from Debian
	@.ci/install_boards
