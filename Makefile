# Every target makes .venv and installs what it needs; Python >= 3.11, pip and make are enough.
# A stamp file per set of packages makes the second call instant; editing pyproject.toml renews it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test lint format bench parity fuzz soak storm mutate docs web web-check clean

demo: $(VENV)/.installed
	$(BIN)/chainrule train heart

# Bytecode is written even where the environment says not to: the tests start many processes, and
# each that runs tests would rewrite the asserts of all of them anew.
# Stealing leaves tests of a file together, so that runs which they share are trained once.
test: $(VENV)/.installed-test
	$(BIN)/python -m compileall -q src tests
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist worksteal \
		--screenshots=build/screenshots $(TEST_OPTIONS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks --json benchmarks.json

# Random programs, compiled in every way there is, against the interpreter: a quarter of an hour.
fuzz: $(VENV)/.installed-test
	PYTHONPATH=tests CHAINRULE_VERIFY=1 $(BIN)/python -m systematic
	PYTHONPATH=tests $(BIN)/python -m fuzz 2000
	PYTHONPATH=tests $(BIN)/python -m fuzz --turns 500

# PyTorch's own samples of operators, modules and optimizers; fails for a number that differs.
parity: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.parity --json parity.json

# Trainings killed at random moments, 200 times: each goes on and ends with the same bits.
soak: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m train.soak 200

# Ctrl-C while programs compile, 10,000 times: no process may end by it.
storm: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m runtime.storm 10000

# Run folders damaged in 2,000 ways: none crashes anything or changes a result without a word.
mutate: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m runs.mutations 2000

docs: $(VENV)/.installed
	$(BIN)/python -m chainrule.config > docs/env.md

# The dashboard's page, from web/ into the package; the second one compares it with what is committed.
web: web/node_modules/.installed
	cd web && npm run --silent check && npm run --silent build

web-check: web/node_modules/.installed
	cd web && npm run --silent check && node build.mjs node_modules/.built
	diff -rq web/node_modules/.built src/chainrule/dash/static

web/node_modules/.installed: web/package-lock.json
	cd web && npm ci --silent
	@touch $@

clean:
	rm -rf $(VENV) web/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Some systems ship Python without ensurepip: then the system's pip fills the environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

# torch on its own first: its download is the longest, and a failure there is plain to see.
$(VENV)/.installed-bench: pyproject.toml | $(BIN)/python
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[bench]'
	@touch $@ $(VENV)/.installed
