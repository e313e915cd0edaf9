# Each target first brings .venv up to date; scripts/setup says how, and does nothing when it is.
.PHONY: demo test bench fresh judges lint types mypy pyright other-python other-venv soak setup
python := .venv/bin/python
# Two workers: what the smallest machine we promise anything about has.
workers ?= 2
# A process that tests start would else compile all of Perdure anew, of which there are hundreds.
unexport PYTHONDONTWRITEBYTECODE

# args="--port 9000" serves elsewhere.
demo: setup
	@exec $(python) scripts/demo.py $(args)

# Ends with pytest's own closing line. The floors of coverage are judged inside that run, by scripts/coverage_floor.py.
test: setup
	@$(MAKE) --no-print-directory -j $(workers) judges
	@scripts/other-python
	$(python) -m pytest -n $(workers) --dist worksteal -p scripts.coverage_floor \
		--cov=perdure --cov-branch --cov-report= --cov-report=json:.coverage.json

# Side by side: they have one thread each, and what fetches packages takes longest.
judges: setup other-venv mypy pyright lint

lint: setup
	$(python) -m ruff check src tests scripts examples
	$(python) -m ruff format --check src tests scripts examples
	.venv/bin/lint-imports

types: setup mypy pyright

mypy: setup
	$(python) -m mypy

pyright: setup
	.venv/bin/pyright

other-python: setup
	@scripts/other-python

other-venv: setup
	@scripts/other-python --only-prepare

# The suites that take minutes: what `make test` does with few seeds, with many.
soak: setup
	$(python) -m pytest -n $(workers) --dist worksteal -m slow

# Both sides, three runs in both orders: more than an hour. args="--seconds 5" takes a quick look.
bench: setup
	PYTHON="$(CURDIR)/$(python)" bench/setup
	$(python) bench/run $(args)

# Proves that `make demo` and `make test` set everything up on a bare machine. Needs root; takes minutes.
fresh: setup
	scripts/fresh

setup:
	@scripts/setup
