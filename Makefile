# Two commands matter: `make demo` runs the whole pipeline, `make test` runs every test that is not slow.
# Everything they need is installed from requirements.lock into .venv by `make install`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .uv/bin/uv
PYTEST := $(BIN)/python -m pytest

# Some images set it. Each process would then compile all that it imports, and the demo and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: bench chaos chaos-answers chaos-soak clean demo fuzz imports install lint lock lock-check pictures release sbom schemas
.PHONY: test test-crash test-crash-killed test-crash-stopped test-forgery test-mutation test-outage test-slow types year

demo: install
	$(BIN)/jointly demo

# Three keep two cores busy, as many tests wait. Each has a PostgreSQL of its own; one runs all tests on Apache Kafka.
WORKERS ?= 3
test: install
	$(PYTEST) -n $(WORKERS) --durations 10

# What takes minutes and seldom breaks: the embedded broker where Apache Kafka was tested, the pages in a browser, the
# generator's laws, the benchmark's harness, the export of the faster encoder, memory, fuzzing; and `make year`.
test-slow: install
	$(PYTEST) -m slow --ignore tests/chaos --durations 10

install: $(VENV)/installed

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv

$(VENV)/installed: requirements.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header pyproject.toml
EVERYTHING := --all-extras --group dev --group bench
# What production installs: no tests, no embedded stack. Constrained to the large lock, so that it runs what was tested.
PRODUCTION := --extra fast --constraint requirements.lock

lock: | $(UV)
	$(COMPILE) $(EVERYTHING) --output-file requirements.lock
	$(COMPILE) $(PRODUCTION) --output-file deploy/requirements.lock

# Measures the pipeline beside what else one could do: docs/scale.md says what and how. BENCH="--quick" proves that it
# works; BENCH="--sizes 10000 --stages a,e1" takes a part, and what was measured before stays in the same file.
BENCH ?=
bench: install
	$(BIN)/python -m tests.bench.bench $(BENCH)

# Kills, then stops a process at each place on an event's way; waits out real timeouts, so not part of `make test`.
# `make -j 2 test-crash` does both at the same time.
test-crash: test-crash-killed test-crash-stopped

test-crash-killed test-crash-stopped: install
	$(PYTEST) -m slow -k $(@:test-crash-%=%) tests/chaos/test_cuts.py

# The other slow kinds of fault: a full disk, rebalances under slow batches, an older revision beside this one, back-pressure.
test-outage: install
	$(PYTEST) -m slow tests/chaos --ignore tests/chaos/test_cuts.py

# The pictures in docs/, made from the sample; needs chromium.
pictures: install
	$(BIN)/python -m tests.web.pictures docs/pictures

schemas: install
	$(BIN)/jointly schemas

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

# Whether both locks satisfy pyproject.toml. The copies keep their versions and hashes where these still fit, so new
# releases of others change nothing here; a requirement that was added, removed or narrowed does.
lock-check: | $(UV)
	cp requirements.lock .uv/check.lock
	$(COMPILE) $(EVERYTHING) --output-file .uv/check.lock
	diff requirements.lock .uv/check.lock
	cp deploy/requirements.lock .uv/check.lock
	$(COMPILE) $(PRODUCTION) --output-file .uv/check.lock
	diff deploy/requirements.lock .uv/check.lock

# What production installs, as CycloneDX: one component a distribution, with version, package URL and hashes.
sbom: install
	mkdir -p build
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --short-PURLs \
		--output-file build/jointly.cdx.json deploy/requirements.lock

# Images by digest, for a release: needs Docker with its buildx plugin, and the registries.
release: sbom
	deploy/release.sh

# Breaks everything while plans flow, and holds what comes of it against the input: docs/reliability.md says how.
SEED ?= 1
chaos: install
	$(BIN)/python -m tests.chaos --seed $(SEED) --json

# Answers flow while coalitions processes die: `make chaos-answers SEED=2 ANSWER_MINUTES=5`.
ANSWER_MINUTES ?= 1
chaos-answers: install
	$(BIN)/python -m tests.chaos.answers --seed $(SEED) --minutes $(ANSWER_MINUTES)

# Forty councils over eighteen months on real parts: the programme's numbers against a count made from the scenario.
year: install
	$(PYTEST) -m slow tests/year

# Forges events by the thousand: none may be accepted in another authority's name.
EVENTS ?= 10000
test-forgery: install
	$(BIN)/python -m tests.chaos.mutations --events $(EVENTS) --seed $(SEED) --json

MINUTES ?= 60
JOBS ?= 1
chaos-soak: install
	$(BIN)/python -m tests.chaos.long --minutes $(MINUTES) --jobs $(JOBS)

# Tries the readers of strangers' input with whatever leads somewhere new: `make fuzz SECONDS=3600` for longer.
SECONDS ?= 60
fuzz: install
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

test-mutation: install
	$(BIN)/python -m tests.chaos.mutants

clean:
	rm -rf $(VENV) .uv .jointly build *.egg-info
