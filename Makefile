# The few commands of this project. `make demo` and `make test` need Python 3.11 or later, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORPORA ?= $(VANKHO_CORPORA)

# What the long checks prove, each with a table and a last line "N passed, N failed"; docs/explanation/threats.md says
# which threat each stands for. SEED and RUNS choose another draw: make faults RUNS=2000 SEED=7
SEED ?=
RUNS ?=
DRAW = $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS))

.PHONY: help demo test conformance hostile faults crash damage identify-diff simulate cluster mutation bench-catalog bench-wait bench-batch bench-million lint types imports messages install install-dev clean

help:
	@echo "make demo [PACKAGE=path]   the whole path on sample packages (and yours), about a minute"
	@echo "make test                  everything the tests need, and the tests"
	@echo "make lint types imports    the checks that CI runs before the tests"
	@echo "make conformance hostile faults crash damage identify-diff [SEED=n] [RUNS=n]   attacks on the checks, each with a table"
	@echo "make bench bench-quick [ROWS=a,b]   Vankho beside its peers, 15 minutes or 2; python -m bench --list names the rows"
	@echo "make cluster [RUNS=n]      two machines, one lost in the middle, some 3 minutes"
	@echo "make simulate              a year of audits of three collections, a minute"
	@echo "make mutation              the checking code broken on purpose, about half an hour"

# Versions and hashes are pinned; nothing is resolved at installation.
$(BIN)/.installed: constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Vankho needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/.installed-dev: constraints-dev.txt $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r constraints-dev.txt
	@touch $@

install: $(BIN)/.installed

install-dev: $(BIN)/.installed-dev

demo: $(BIN)/.installed
	$(BIN)/vankho demo $(if $(PACKAGE),--package "$(PACKAGE)")

# MiniStack, an S3 server that the tests start, needs an older botocore: an environment of its own.
.venv-ministack/.installed: tests/servers/ministack-constraints.txt
	$(PYTHON) -m venv .venv-ministack
	.venv-ministack/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

# Debian's packages for the real servers that the tests start: PostgreSQL and Ceph's S3 gateway.
test: $(BIN)/.installed-dev .venv-ministack/.installed
	tests/servers/install.sh
	$(BIN)/python -m pytest -n 2 --dist loadgroup

conformance: $(BIN)/.installed-dev
	$(BIN)/python -m tests.conformance.table $(DRAW)

hostile: $(BIN)/.installed-dev
	$(BIN)/python -m tests.hostile.table $(DRAW)

faults: $(BIN)/.installed-dev .venv-ministack/.installed
	tests/servers/install.sh
	$(BIN)/python -m tests.faults.table $(DRAW)

crash: $(BIN)/.installed-dev
	tests/servers/install.sh
	$(BIN)/python -m tests.crash.table $(DRAW)

damage: $(BIN)/.installed-dev
	$(BIN)/python -m tests.damage.table $(DRAW)

# A year of audits of three collections in about a minute: load of each day, longest wait, false alarms.
simulate: $(BIN)/.installed-dev
	$(BIN)/python -m tests.simulate.table

# Two machines on one PostgreSQL and one Prefect server, one lost in the middle; RUNS packages, 40 unless said.
cluster: $(BIN)/.installed-dev
	tests/servers/install.sh
	$(BIN)/python -m tests.cluster.table $(DRAW)

# Twenty thousand drawn files and the corpora against FIDO's class.
identify-diff: $(BIN)/.installed-dev
	$(BIN)/python -m tests.formats.table $(DRAW)

# mutmut and what only it needs; the rest it finds in our environment.
.venv-mutation/.installed: tests/mutation/constraints.txt
	$(PYTHON) -m venv .venv-mutation
	.venv-mutation/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

# Breaks the checking code on purpose; docs/explanation/mutation.md says what survives and why.
mutation: $(BIN)/.installed-dev .venv-mutation/.installed
	$(BIN)/python -m tests.mutation.table

# A generated catalog of a million AIPs asked everything that people and schedules ask, on SQLite and PostgreSQL.
bench-catalog: $(BIN)/.installed-dev
	tests/servers/install.sh
	$(BIN)/python -m bench.catalog $(if $(AIPS),--aips $(AIPS))

# The programs that Vankho is measured against, in an environment of their own.
.venv-bench/.installed: bench/constraints.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

# ROWS=validate,upload measures only these; bench/README.md names them.
bench: $(BIN)/.installed .venv-bench/.installed
	tests/servers/install.sh
	$(BIN)/python -m bench --write $(if $(ROWS),--rows $(ROWS))

bench-quick: $(BIN)/.installed .venv-bench/.installed
	$(BIN)/python -m bench --quick $(if $(ROWS),--rows $(ROWS))

bench-wait: $(BIN)/.installed
	$(BIN)/python -m bench.prefect_wait

# A batch of 200 packages with and without a Prefect server.
bench-batch: $(BIN)/.installed
	$(BIN)/python -m bench.prefect_batch

# One package of a million files and the memory it takes: some quarter of an hour, 14 GB (SCRATCH=folder).
bench-million: $(BIN)/.installed
	$(BIN)/python -m bench.million $(FILES) $(if $(SCRATCH),--scratch $(SCRATCH))

lint: $(BIN)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/.installed-dev
	$(BIN)/mypy

imports: $(BIN)/.installed-dev
	$(BIN)/lint-imports

# Brings the Vietnamese catalog up to date with what the source says, and names what still lacks its Vietnamese.
messages: $(BIN)/.installed-dev
	$(BIN)/python tests/language/messages.py

clean:
	rm -rf $(VENV) .venv-* build *.egg-info demo-workspace
