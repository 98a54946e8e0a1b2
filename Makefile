# Everything a person or a machine does with this repository. `make` alone lists it.
# Environments are built once from the locks in requirements/ and rebuilt only when a lock changes.

PYTHON ?= python3.11
UV ?= uv

DEMO_RESOLUTION ?= 480x360

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help docs demo test test-5 test-reader test-torch check bench bench-rgb lock clean \
  venv venv-5 venv-reader venv-torch venv-datagen

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.installed demo/still_life.blend  ## render a small still life built in code, and say where it is
	.venv/bin/pixeltruth render demo/still_life.blend --resolution $(DEMO_RESOLUTION) --map-by category_id,category -o demo/dataset
	.venv/bin/pixeltruth preview demo/dataset

demo/still_life.blend: | .venv/.installed
	@mkdir -p $(@D)
	.venv/bin/pixeltruth sample still_life -o $@

test: .venv/.installed  ## the whole test suite, Blender included, with coverage
	.venv/bin/pytest --cov --cov-report=term-missing:skip-covered

test-5: .venv-5/.installed  ## the Blender suite on Blender 5.0
	.venv-5/bin/pytest -m blender tests/blender tests/run tests/test_cli.py

test-reader: .venv-reader/.installed  ## the suite of a machine without Blender (numpy 2)
	.venv-reader/bin/pytest -m "not blender"

test-torch: .venv-torch/.installed  ## the tests of pixeltruth.torch, with PyTorch
	.venv-torch/bin/pytest tests/test_torch.py tests/coco/test_coco_torch.py tests/formats/test_coco_torchvision.py \
	  tests/formats/test_voc_torchvision.py

check: .venv/.installed  ## lint, format and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

docs: .venv/.installed  ## write the generated pages of docs/
	.venv/bin/python docs/generate.py

bench: .venv/.installed  ## measure the numbers that the README states
	.venv/bin/python -m benchmarks

venv: .venv/.installed  ## make .venv: the package with Blender and the developer's tools

venv-5: .venv-5/.installed  ## make .venv-5: the same with Blender 5.0

venv-reader: .venv-reader/.installed  ## make .venv-reader: the same without Blender

venv-torch: .venv-torch/.installed  ## make .venv-torch: the reader with PyTorch

venv-datagen: .venv-datagen/.locked  ## make .venv-datagen: the Datagen SDK and supervision, which tests of exports ask

# $* is one of the environments. Two stamps: an edit of pyproject.toml costs a second, a new lock a new environment.
.venv/.locked: requirements/render.txt
.venv-5/.locked: requirements/render-5.txt
.venv-reader/.locked: requirements/reader.txt
.venv-datagen/.locked: requirements/datagen.txt
.venv-torch/.locked: requirements/torch.txt requirements/torch-cuda.txt
# Where pip knows no place with PyTorch's builds for CPUs (PIP_EXTRA_INDEX_URL), the one with CUDA: 3 GB more.
.venv-torch/.locked: OTHERWISE = requirements/torch-cuda.txt
.venv/.locked .venv-5/.locked .venv-reader/.locked .venv-torch/.locked .venv-datagen/.locked: %/.locked:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "The locks are for Python 3.11: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear $*
	$*/bin/pip install --disable-pip-version-check --require-hashes -r $< \
	  $(if $(OTHERWISE),|| $*/bin/pip install --disable-pip-version-check --require-hashes -r $(OTHERWISE))
	touch $@

.venv/.installed .venv-5/.installed .venv-reader/.installed .venv-torch/.installed: %/.installed: %/.locked pyproject.toml
	@missing=$$(ldd $*/lib/python3*/site-packages/bpy/__init__.so 2>/dev/null | awk '/not found/ { printf " %s", $$1 }'); \
	if [ -n "$$missing" ]; then \
	  echo "Blender needs system libraries that are missing:$$missing"; \
	  echo "Debian or Ubuntu: apt-get install -y $(BLENDER_LIBRARIES)"; exit 1; \
	fi
	$*/bin/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@if [ -d $*/lib/python3.11/site-packages/numba ]; then $*/bin/python -m pixeltruth.run.warm; fi
	touch $@

BLENDER_LIBRARIES = libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1 libegl1

RESOLVE = $(UV) pip compile --quiet --upgrade --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate
LOCK = $(RESOLVE) --group dev pyproject.toml

bench-rgb: .venv/.installed  ## measure the quality presets against 2000 samples (references are kept)
	.venv/bin/python -m benchmarks rgb

lock:  ## resolve the newest versions into requirements/*.txt (needs uv; UV_FIND_LINKS: a build of PyTorch for CPUs)
	$(LOCK) requirements/render.in --extra render --extra coco --output-file requirements/render.txt
	$(LOCK) requirements/render-5.in --extra render --extra coco --output-file requirements/render-5.txt
	$(LOCK) requirements/reader.in --extra coco --extra figures --extra remote --extra table --output-file requirements/reader.txt
	$(LOCK) requirements/torch.in --extra coco --extra figures --extra torch --extra remote --output-file requirements/torch.txt
	$(LOCK) requirements/torch-cuda.in --extra coco --extra figures --extra torch --extra remote --output-file requirements/torch-cuda.txt
	$(RESOLVE) requirements/datagen.in --output-file requirements/datagen.txt

clean:  ## remove what the targets above made, except the environments and the locks
	rm -rf demo dist build .coverage .coverage.* htmlcov .hypothesis .pytest_cache .mypy_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
