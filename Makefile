# demo, test, bench and clean; everything runs in .venv, which any target makes first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: demo test lint types bench bench-peers clean

demo: $(VENV)/.installed
	$(BIN)/python examples/mlp.py --compare-numpy

test: $(VENV)/.dev lint types
	$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/dispatch.py
	$(BIN)/python benchmarks/mlp_step.py
	$(BIN)/python benchmarks/training_loop.py
	$(BIN)/python benchmarks/startup.py

bench-peers: $(VENV)/.installed
	$(BIN)/python benchmarks/peers/run.py $(PEERS_ARGS)

$(VENV)/bin/python:
	@echo "making $(VENV) and installing tfc into it"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .venv-peers build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find tfc tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
