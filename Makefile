# Two commands: `make demo` runs the main job, `make test` the tests. Each sets up all it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint types agreement screenshots clean

demo: .venv/demo
	$(BIN)/howgood run quickstart

test: .venv/test
	$(BIN)/pytest -n 2 --dist loadgroup

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test
	$(BIN)/mypy

# Side by side with lm-evaluation-harness on the same model and data (minutes).
agreement: .venv/test
	$(INSTALL) --editable '.[agreement]'
	$(BIN)/python tests/agreement/lm_eval_agreement.py
	$(BIN)/python tests/agreement/local_completions.py

# Every page of the studio on real runs, light and dark, wide and narrow, in dist/screenshots (needs Chromium; minutes).
screenshots: .venv/test
	$(BIN)/python tests/studio/screenshots.py --manual

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[llamacpp]'
	touch $@

.venv/test: .venv/bin/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[local,llamacpp,dev]'
	if command -v npm >/dev/null; then npm install --silent --no-save --prefix .venv/axe axe-core@4.14.1 || true; fi
	touch $@ .venv/demo

clean:
	rm -rf .venv
