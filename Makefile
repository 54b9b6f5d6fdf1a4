# The two commands are `make demo` and `make test`; each sets up what it needs the first time.

UV_VERSION := 0.13.9
UV := .venv/bin/uv
PYTHON := .venv/bin/python

# Bytecode that is not kept is compiled again at every start: TensorFlow then takes 12 s instead of 4.
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV

.PHONY: demo test test-unit setup check format clean chaos bench-queue bench-train bench-honesty

demo: setup
	@$(PYTHON) -m demo

test: check
	@$(PYTHON) -m pytest -n auto

# What needs no Postgres, no TensorFlow and no browser: the tests of one module at a time, in seconds.
test-unit: setup
	@$(PYTHON) -m pytest -n auto tests/unit

check: setup
	@$(PYTHON) -m ruff format --check --quiet . || { echo 'Run `make format`.'; exit 1; }
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy

# The faults of `make test` for longer: workers killed every second for MINUTES, Postgres restarted twice.
chaos: setup
	@$(PYTHON) -m tests.faults.chaos --minutes $(or $(MINUTES),10) --jobs 1000 --workers 8

# Our queue beside others on one Postgres: latency, recovery and writes, in about eight minutes.
bench-queue: setup
	@$(PYTHON) -m bench.queue

# The training job beside the plain recipe on real photos: PHOTOS=folder WEIGHTS=file ARGS="--sets small".
bench-train: setup
	@$(PYTHON) -m bench.train "$(PHOTOS)" "$(WEIGHTS)" $(ARGS)

# What models say of themselves beside what is found on photos that nobody showed them; arguments as above.
bench-honesty: setup
	@$(PYTHON) -m bench.honesty "$(PHOTOS)" "$(WEIGHTS)" $(ARGS)

format: setup
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

setup: .venv/ready

.venv/ready: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --inexact --quiet
	@touch $@

# The first interpreter that really is one: version managers leave names on the PATH that do not run.
$(UV):
	@for python in python3.12 python3.11 python3; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then \
	    echo "Setting up .venv with $$($$python --version)"; \
	    $$python -m venv .venv && .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	    exit $$?; \
	  fi; \
	done; echo 'Python 3.11 or 3.12 is needed, with its venv module; none was found on the PATH.' >&2; exit 1

clean:
	rm -rf .venv node_modules demo-output .mypy_cache .ruff_cache .pytest_cache
