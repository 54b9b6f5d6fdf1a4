# The two commands are `make demo` and `make test`; each sets up what it needs the first time.

UV_VERSION := 0.13.9
# An environment for each interpreter that is asked for by PYTHON=, named by its version, beside the usual one.
VENV := .venv$(if $(PYTHON),-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null))
UV := $(VENV)/bin/uv
RUN := $(VENV)/bin/python
DIST := dist

# Bytecode that is not kept is compiled again at every start: TensorFlow then takes 12 s instead of 4.
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV

.PHONY: demo test test-unit coverage setup check format clean dist chaos bench-queue bench-train bench-honesty

demo: setup
	@$(RUN) -m demo

test: check
	@$(RUN) -m pytest -n auto

# What needs no Postgres, no TensorFlow and no browser: the tests of one module at a time, in seconds.
test-unit: setup
	@$(RUN) -m pytest -n logical tests/unit

# The lines of worker/ that no test reaches, in this process or in those that it starts; ARGS are pytest's.
coverage: setup
	@rm -f .coverage .coverage.*
	@$(RUN) -m coverage run -m pytest -n auto $(ARGS); failed=$$?; \
	  $(RUN) -m coverage combine --quiet && rm -f .coverage.* && $(RUN) -m coverage report && exit $$failed

check: setup
	@$(RUN) -m ruff format --check --quiet . || { echo 'Run `make format`.'; exit 1; }
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m mypy
	@$(VENV)/bin/lint-imports --no-cache --no-logo
	@$(RUN) -m deptry worker
	@$(RUN) -m deptry demo bench tests --ignore DEP002,DEP004

# What is released: the wheel, and the packages that it was tested with, each by its hash.
dist: setup
	@rm -f $(DIST)/*.whl
	@$(UV) build --quiet --wheel --out-dir $(DIST)
	@$(UV) export --quiet --frozen --no-dev --no-emit-project --no-header --output-file $(DIST)/requirements.txt

# The faults of `make test` for longer: workers killed every second for MINUTES, Postgres restarted, crashed and set back.
chaos: setup
	@$(RUN) -m tests.faults.chaos --minutes $(or $(MINUTES),10) --jobs 1000 --workers 8

# Our queue beside others on one Postgres: latency, recovery and cost, in about 15 minutes.
bench-queue: setup
	@$(RUN) -m bench.queue

# The training job beside the plain recipe on real photos: PHOTOS=folder WEIGHTS=file ARGS="--sets small --draw 4".
bench-train: setup
	@$(RUN) -m bench.train "$(PHOTOS)" "$(WEIGHTS)" $(ARGS)

# What models say of themselves beside what is found on photos that nobody showed them; arguments as above.
bench-honesty: setup
	@$(RUN) -m bench.honesty "$(PHOTOS)" "$(WEIGHTS)" $(ARGS)

format: setup
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml uv.lock | $(UV)
	UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --frozen --inexact --quiet
	@touch $@

# The first interpreter that really is one: version managers leave names on the PATH that do not run.
$(UV):
	@for python in $(or $(PYTHON),python3.12 python3.11 python3.13 python3); do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	    echo "Setting up $(VENV) with $$($$python --version)"; \
	    $$python -m venv $(VENV) && $(RUN) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	    exit $$?; \
	  fi; \
	done; \
	echo 'Python 3.11, 3.12 or 3.13 is needed, with its venv module; $(or $(PYTHON),the PATH) has none.' >&2; exit 1

clean:
	rm -rf .venv .venv-* node_modules dist demo-output .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.*
