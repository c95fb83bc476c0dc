# One word for each thing a developer does. `make check` is the gate, `make test` is everything.
# On a fresh machine each word first makes .venv (Python 3.11, pip, a C compiler are enough) and is quick afterwards.

PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed
TESTS_AT_ONCE ?= 2
# Tests start hundreds of Pythons; each would compile everything anew where this is set.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup check format lint types layers budget unit test cluster kills large restarts simulate faults demo docs bench bench-costs bench-compare pins clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 15

setup: $(STAMP)  ## make .venv with the pinned packages and batchwork itself, editable

$(STAMP): requirements/dev.txt requirements/build.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/build.txt -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

check: lint types layers budget unit  ## the gate: format, lint, types, layers, budget, unit tests (about a minute)

format: $(STAMP) ## format the code and mend what ruff can mend
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

lint: $(STAMP)   ## ruff, changes nothing
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ruff check --quiet .

types: $(STAMP)  ## mypy --strict on src and on what the benchmarks share
	$(BIN)/mypy --no-error-summary

layers: $(STAMP) ## imports go one way
	$(BIN)/lint-imports --no-logo

budget: $(STAMP) ## nothing too long, too dense or too full
	$(BIN)/python tools/budget.py src

unit: $(STAMP)   ## unit tests only
	$(BIN)/pytest -n $(TESTS_AT_ONCE) tests/unit

test: check      ## everything
	$(BIN)/pytest -n $(TESTS_AT_ONCE) --ignore=tests/unit --ignore=tests/cluster tests

cluster: .cluster/.installed ## machines that die, stop and are cut off, KILLS times each (1), and Ray with ITEMS (20000); needs root and iproute2
	BATCHWORK_CLUSTER_ITEMS=$(or $(ITEMS),20000) BATCHWORK_KILLS=$(or $(KILLS),1) .cluster/bin/pytest -rs tests/cluster

# Ray is large, and nothing else needs it: an environment of its own, with the rest of what tests need.
.cluster/.installed: requirements/cluster.txt requirements/dev.txt requirements/build.txt pyproject.toml
	@test -x .cluster/bin/python || $(PYTHON) -m venv .cluster
	@.cluster/bin/python -m pip install --quiet --disable-pip-version-check $(patsubst %,-r requirements/%.txt,build dev cluster)
	@.cluster/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

kills: $(STAMP)  ## kill -9 real runs of shell and Python items at random moments, KILLS times each (200)
	BATCHWORK_KILLS=$(or $(KILLS),200) $(BIN)/pytest tests/crash/test_kill_and_resume.py -k again_and_again

large: $(STAMP)  ## a CSV of 1 GB in S3, 2,000,000 rows of PostgreSQL, 200,000 files: killed, resumed, compared, memory measured
	BATCHWORK_LARGE=1 BATCHWORK_STUCK_S=7200 $(BIN)/pytest -s tests/large $(if $(ONLY),-k "$(ONLY)")

restarts: $(STAMP) ## restart a PostgreSQL server at once while runs record in it, RESTARTS times (20)
	BATCHWORK_RESTARTS=$(or $(RESTARTS),20) BATCHWORK_STUCK_S=1800 $(BIN)/pytest tests/crash/test_postgres_faults.py -k restarted

simulate: $(STAMP) ## the engine under crashes and faults that a SEED plays again; without one, as many histories as fit into MINUTES
	$(BIN)/python tests/simulation/simulate.py $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

faults: $(STAMP) ## run the fault suite, and write what it found into docs/faults.md
	$(BIN)/pytest -n $(TESTS_AT_ONCE) -m fault --write-faults tests

demo: $(STAMP)   ## some thousand files, a few failures, the report, the retry
	@$(BIN)/python examples/demo/demo.py

docs: .site/.installed ## the documentation site, into site/; `make docs SERVE=1` shows it while it is written
	.site/bin/mkdocs --quiet $(if $(SERVE),serve,build)

.site/.installed: requirements/docs.txt
	@test -x .site/bin/python || $(PYTHON) -m venv .site
	@.site/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	@touch $@

bench: $(STAMP) .bench/.installed ## speed beside other programs: ROUNDS=3 ONLY="noop http" SHARE=0.1; KEEP=1 puts it into docs/performance.md
	$(BIN)/python benchmarks/bench_table.py $(BENCHMARKS) $(if $(KEEP),--page docs/performance.md)

bench-costs: $(STAMP) ## CPU time of an item in each part (ROUNDS); KEEP=1 puts it into docs/explanation/speed.md
	$(BIN)/python benchmarks/cpu_by_part.py $(ROUNDS) $(if $(KEEP),--page docs/explanation/speed.md)

bench-compare: $(STAMP) ## speed beside the commit BASE, in turns; fails where 10 % more is taken (ROUNDS, ONLY, SHARE as above)
	@test -n "$(BASE)" || { echo "say with what: make bench-compare BASE=main"; exit 2; }
	$(BIN)/python benchmarks/bench_compare.py $(BASE) $(BENCHMARKS)

BENCHMARKS = $(if $(ONLY),--only "$(ONLY)") $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SHARE),--share $(SHARE))

# The programs that batchwork is measured beside. Those that cannot be installed are missing in the table, nothing more.
.bench/.installed: requirements/bench.txt
	@test -x .bench/bin/python || $(PYTHON) -m venv .bench
	@.bench/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/bench.txt && touch $@ \
		|| echo "not all programs to be measured beside could be installed"

pins: $(STAMP)   ## write requirements/dev.txt from what is installed
	$(BIN)/python -m pip freeze --disable-pip-version-check --exclude-editable > requirements/dev.txt

clean:           ## everything that can be made again
	find src tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .venv .bench .cluster .site site build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
