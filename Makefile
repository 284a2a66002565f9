# The commands the README names. Each first creates the environment in .venv, once.
# Choose another interpreter with: make PYTHON=/path/to/python3 ...

VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RAW := data/raw/synthetic
DEMO := configs/demo_stafusion.py

# The oldest version the code runs on, and the first one TensorFlow has no build for.
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c "$(SUITABLE)" 2>/dev/null && echo $$p && break; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help env demo docs test test-all notebooks lint format bench results constraints clean

help:  ## Show this list
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1 \2/p' $(MAKEFILE_LIST) \
		| awk '{ name = $$1; $$1 = ""; printf "  %-12s%s\n", name, $$0 }'

env: $(STAMP)  ## Create or refresh the environment in .venv

# Compiling every module of TensorFlow ahead would double the time: --no-compile.
$(STAMP): requirements.txt requirements-dev.txt constraints.txt pyproject.toml
	@$(PYTHON) -c "$(SUITABLE)" 2>/dev/null || { \
		echo "Found no Python 3.11, 3.12 or 3.13 (TensorFlow has no build for newer" \
		"ones yet). Install one, or name one: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; }
	@echo "Creating the environment in $(VENV): a few minutes, once."
	@$(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv $(VENV) || { \
		echo "This Python makes no environments. Install your system's package" \
		"python3-venv, or: $(PYTHON) -m pip install virtualenv" >&2; \
		exit 1; }
	$(BIN)/python -m pip install --no-compile -r requirements-dev.txt
	@touch $@

demo: $(STAMP)  ## Synthetic data, training, evaluation, report: under 15 minutes
	$(BIN)/python -m input_pipeline.synthetic --out $(RAW)
	$(BIN)/python -m input_pipeline.prepare synthetic --raw $(RAW) --out data
	$(BIN)/python train.py --config $(DEMO)
	$(BIN)/python evaluate.py --config $(DEMO)

docs: $(STAMP)  ## The documentation site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "Open site/index.html; with search: $(BIN)/python -m http.server -d site"

test: $(STAMP)  ## The tests, without the long ones
	$(BIN)/python -m pytest -n $(WORKERS) -m "not long"

test-all: $(STAMP)  ## All tests, the long ones too
	$(BIN)/python -m pytest -n $(WORKERS)

notebooks: $(STAMP)  ## Both notebooks from top to bottom, small
	$(BIN)/python -m pytest -n $(WORKERS) -m long tests/docs/test_notebooks.py

lint: $(STAMP)  ## Format, lint and type checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)  ## Put the code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## Every script in benchmarks/
	@set -e; for script in $$(grep -l __main__ benchmarks/*.py); do \
		echo "== $$script"; \
		$(BIN)/python -m benchmarks.$$(basename $$script .py); done

# The pretraining's world: other people, and nothing that makes it difficult.
results: $(STAMP)  ## Train every row of every results table (many hours; resumable)
	$(BIN)/python -m input_pipeline.synthetic --out $(RAW)
	$(BIN)/python -m input_pipeline.prepare synthetic --raw $(RAW) --out data
	$(BIN)/python -m input_pipeline.synthetic --out $(RAW)_pretraining --seed 1 \
		--subjects 20 --occluded 0 --dark_rgb 0 --warm_background 0 \
		--bystander 0 --noisy_skeleton 0
	$(BIN)/python -m input_pipeline.prepare synthetic --raw $(RAW)_pretraining \
		--out data/pretraining
	@set -e; for world in "intruding 0.5" "blinding 1"; do \
		set -- $$world; \
		$(BIN)/python -m input_pipeline.synthetic --out $(RAW)_$$1 --seed 2 \
			--subjects 20 --occluded 0 --dark_rgb 0 --warm_background 0 \
			--bystander 0 --noisy_skeleton 0 --$$1 $$2; \
		$(BIN)/python -m input_pipeline.prepare synthetic --raw $(RAW)_$$1 \
			--out data/$$1; \
	done
	@set -e; for world in "complementary 20" "product 20" "xor 40"; do \
		set -- $$world; \
		$(BIN)/python -m input_pipeline.synthetic --out $(RAW)_$$1 --seed 3 \
			--subjects $$2 --occluded 0 --dark_rgb 0 --warm_background 0 \
			--bystander 0 --noisy_skeleton 0 --actions $$1; \
		$(BIN)/python -m input_pipeline.prepare synthetic --raw $(RAW)_$$1 \
			--out data/$$1; \
	done
	@set -e; for study in results/studies/synthetic_*.py; do \
		$(BIN)/python -m results.studies.$$(basename $$study .py); done
	$(BIN)/python -m results.tables

constraints:  ## Rewrite constraints.txt with the newest versions that fit together
	$(PYTHON) -m venv --clear $(VENV)-new
	$(VENV)-new/bin/python -m pip install -e ".[dev,docs,beam]"
	{ sed '/^[^#]/,$$d' constraints.txt; \
		$(VENV)-new/bin/python -m pip freeze --exclude-editable; } > constraints.new
	mv constraints.new constraints.txt
	rm -rf $(VENV)-new

clean:  ## Remove what the tools leave behind; keeps .venv, data and runs
	rm -rf build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
