# make demo    a real photograph through the shipped codec, beside JPEG; installs the base package, and scikit-image
#              for the photograph
# make test    training, evaluation, all tests; those whose optional packages are absent are skipped
# make lint    ruff and mypy
# make clean   remove what the targets above made
#
# Versions are pinned in constraints.txt. `make test` takes PyTorch's CPU build, which is a tenth of the size of
# the CUDA build that Linux gets from PyPI; `make test TORCH_INDEX=` takes whatever pip finds by itself. Where
# that address cannot be reached, pip says so and goes on with its other sources.

PYTHON ?= python3
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PACKAGE = $(shell find src -type f -not -path '*/__pycache__/*')

.PHONY: demo test lint clean

demo: .demo-venv/installed
	.demo-venv/bin/python examples/demo.py

test: .venv/installed
	.venv/bin/python -m pytest

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/mypy

clean:
	rm -rf .demo .demo-venv .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

# The base package, as a user gets it, and scikit-image for the photograph.
.demo-venv/installed: pyproject.toml constraints.txt $(PACKAGE)
	$(PYTHON) -m venv .demo-venv
	.demo-venv/bin/python $(PIP_INSTALL) . scikit-image
	touch $@

# PyTorch first and alone, so that its index is asked for nothing else.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP_INSTALL) --no-deps --retries 1 \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	.venv/bin/python $(PIP_INSTALL) --editable '.[dev]'
	touch $@
