# The commands of the book. `make help` lists them.
# Each one makes its own environment in .venv first, from requirements.txt; that takes a minute or two once.

PY = .venv/bin/python
PORT ?= 8000

# Where this is set, every start of Python would compile its packages again: 10 s a build.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env book test lab serve bench accuracy shot lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

env:
	@sh tools/env.sh

book: env  ## build the HTML book and say where to open it
	@$(PY) tools/build.py

test: env  ## every check: style, types, unit tests, the book's build, the built pages in a browser
	@$(PY) tools/browser.py
	@status=0; \
	for step in "ruff check ." "ruff format --check ." mypy "deno lint" "deno fmt --check"; do \
	    echo "== $$step"; $(PY) -m $$step || status=1; \
	done; \
	echo "== pytest"; OPENBLAS_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 4 --dist loadgroup || status=1; \
	exit $$status

lab: book  ## open the chapters as notebooks in JupyterLab (your copies, in notebooks/)
	@$(PY) tools/lab.py

serve: book  ## serve the built book on http://localhost:8000 (PORT=... for another)
	@echo "Serving on http://localhost:$(PORT)/ (Ctrl-C stops it)"
	@$(PY) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

bench: env  ## time mvnlib beside other libraries; some minutes (ARGS=--quick, ARGS=--help)
	@$(PY) -m benchmarks $(ARGS)

accuracy: env  ## compare mvnlib with references of fifty digits; some minutes
	@$(PY) -m benchmarks.accuracy

shot: book  ## take the README's picture again
	@$(PY) tools/screenshot.py

lock: env  ## renew requirements.txt from the extras in pyproject.toml
	@sh tools/lock.sh

clean:  ## remove all that was made: _build, caches and .venv
	rm -rf _build .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
