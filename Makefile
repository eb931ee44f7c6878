# Everything a developer types. The only prerequisites are Python >= 3.11 with venv, make and the package registries.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready

.PHONY: demo test lint format bench soak clean

demo: $(INSTALLED)  ## the main job, offline: certificate, sign-in, Key Vault secret
	$(BIN)/azcert demo

test: $(VENV)/.system  ## all tests, with real devices and servers
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests

lint: $(VENV)/.system  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.system  ## speed, as ratios to named peers measured in the same run
	$(BIN)/python -m bench

SECONDS ?= 600
soak: $(VENV)/.system  ## mixed load with faults and renewals for ten minutes; make soak SECONDS=60 for one
	$(BIN)/python -m bench.soak $(SECONDS)

# What a user has: azcert and what it needs to run.
$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("azcert needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(READY): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

# The system's packages come first: pip builds tpm2-pytss against them.
$(VENV)/.system: scripts/install-devices $(READY)
	scripts/install-devices
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
