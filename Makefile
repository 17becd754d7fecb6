# `make demo` and `make test` set up everything they need in a fresh clone: Python 3.11 or newer and a package index.
PYTHON ?= python3
UV_VERSION := 0.13.8
BIN := .venv/bin
# Processes that share the tests, file by file; each has a Postgres of its own.
WORKERS ?= 2
# The certificates that the system trusts, as pip does.
export UV_SYSTEM_CERTS := 1
# uv where it can be had (seconds), pip otherwise (a minute or two, and it knows the mirror your pip is set up for).
install = $(BIN)/uv pip install -q --python $(BIN)/python $(1) || $(BIN)/python -m pip install -q $(1)

.DEFAULT_GOAL := help
.PHONY: help demo up gpu test check format lock clean

help: ## List what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	$(PYTHON) -m venv .venv

# The product: no torch in it.
.venv/product: .venv/pyvenv.cfg requirements.lock pyproject.toml
	@echo "Setting up .venv ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION) || true
	@$(call install,--require-hashes -r requirements.lock)
	@$(call install,--no-deps -e .)
	@touch $@

# What tests and checks need on top; torch and its friends, to compare our models with theirs.
.venv/dev: .venv/product requirements-dev.lock
	@echo "Adding development tools and reference libraries (some gigabytes, once) ..."
	@$(call install,--require-hashes -r requirements-dev.lock)
	@touch $@

# NVIDIA's libraries for machines with a GPU (CUDA 13, cuDNN 9); the driver is the machine's own.
.venv/cuda: .venv/product requirements-cuda.lock
	@$(call install,--require-hashes -r requirements-cuda.lock)
	@touch $@

demo: .venv/product ## Tag sample photos with real models, show a table and a contact sheet
	@$(BIN)/tagging demo

up: .venv/product ## Start database, Dagster and its daemon; photos put into inbox/ are tagged
	@$(BIN)/tagging up

gpu: .venv/cuda ## Add CUDA's libraries, and see whether the models run on the GPU
	@$(BIN)/tagging doctor

check: .venv/dev ## Lint, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: .venv/dev check ## Everything CI runs
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

format: .venv/dev ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/product ## Pin what pyproject.toml allows
	$(BIN)/uv pip compile -q pyproject.toml --extra local-llm --universal --python-version 3.11 --generate-hashes --no-strip-extras \
		--no-annotate --custom-compile-command "make lock" -o requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --extra local-llm --extra export --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --custom-compile-command "make lock" \
		-c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile -q pyproject.toml --extra local-llm --extra cuda --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-annotate --custom-compile-command "make lock" \
		-c requirements.lock -o requirements-cuda.lock

clean: ## Remove environments and demo data; your own data folder stays
	rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
