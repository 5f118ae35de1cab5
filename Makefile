# Thin targets: each runs one command that can be run without make.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
TARGET ?= embedded
BIN := $(VENV)/bin
SOURCES := $(shell find cext -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.h') setup.py

.PHONY: help venv demo test lint p4 ptf diff golden shell venv-shell bench bench-memory bench-switch clean

help:
	@echo "make demo    run the main job: a quantum-classical network, end to end"
	@echo "make test    run all tests"
	@echo "make venv    prepare .venv with qplane and qplane-switch in its bin/"
	@echo "make lint    ruff and mypy --strict"
	@echo "make shell   p4runtime-shell on a running network: ADDR=127.0.0.1:9559 DEVICE=1 [WRITE=1]"
	@echo "make p4      rebuild p4src/build with the p4c on PATH"
	@echo "make ptf     packet tests of qnode.p4; TARGET=bmv2 for simple_switch_grpc (BMV2=PATH)"
	@echo "make diff    random states and packets into BMv2 and the embedded switch, compared"
	@echo "make golden  record BMv2's behaviour anew for tests/golden"
	@echo "make bench   what a delivered pair costs in chains of 3 to 129 nodes"
	@echo "make bench-memory  the quantum memory against stim, QuTiP, SeQUeNCe, SimQN, numba and C"
	@echo "make bench-switch  the embedded switch: packets, lookups, ports, P4Runtime; BMV2=PATH beside it"
	@echo "make clean   remove what was built"

venv: $(VENV)/.built

$(VENV)/.deps: pyproject.toml
	@echo "== Preparing $(VENV) (needs the network once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip 'setuptools>=77' 'Cython>=3.1' 'numpy>=2.0'
	@$(BIN)/python tools/requirements.py pyproject.toml scapy test lint > $(VENV)/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt
	@touch $@

$(VENV)/.built: $(VENV)/.deps $(SOURCES)
	@echo "== Building the Cython extensions"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

demo: venv
	@$(BIN)/qplane simulate examples/repeater.toml --out out

test: venv venv-shell
	@$(BIN)/python -m pytest

lint: venv
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

p4: venv
	@$(BIN)/qplane p4 build

# The shell looks on unless WRITE=1: then it takes the switch over from the controller.
ADDR ?= 127.0.0.1:9559
DEVICE ?= 1
WRITE ?=
VENV_SHELL := .venv-shell

venv-shell: $(VENV_SHELL)/.ready

$(VENV_SHELL)/.ready: tools/requirements-shell.txt
	@echo "== Preparing $(VENV_SHELL) (needs the network once)"
	@test -x $(VENV_SHELL)/bin/python || $(PYTHON) -m venv $(VENV_SHELL)
	@$(VENV_SHELL)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

shell: venv-shell
	@$(VENV_SHELL)/bin/python -m p4runtime_sh --grpc-addr $(ADDR) --device-id $(DEVICE) \
		--election-id 0,$(if $(WRITE),100,1)

ptf: venv venv-shell
	@$(PYTHON) ptf_tests/run.py --target $(TARGET) $(TESTS)

# Both need simple_switch_grpc, on PATH or BMV2=PATH.
diff: venv
	@cd tests && ../$(BIN)/python -m diff $(if $(PACKETS),--packets $(PACKETS))

golden: venv
	@cd tests && ../$(BIN)/python -m golden.record

# The peers live in an environment of their own; the memory is the one built for .venv.
VENV_BENCH := .venv-bench

$(VENV_BENCH)/.ready: benchmarks/requirements.txt
	@echo "== Preparing $(VENV_BENCH) with the peers (needs the network once)"
	@test -x $(VENV_BENCH)/bin/python || $(PYTHON) -m venv $(VENV_BENCH)
	@$(VENV_BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

bench: venv
	@$(BIN)/python benchmarks/scaling.py

bench-memory: venv $(VENV_BENCH)/.ready
	@PYTHONPATH=cext OPENBLAS_NUM_THREADS=1 $(VENV_BENCH)/bin/python benchmarks/memory.py
	@PYTHONPATH=cext $(VENV_BENCH)/bin/python -m pytest -q tests/memory/test_qutip.py

bench-switch: venv
	@$(BIN)/python benchmarks/switch_table.py $(if $(BMV2),--bmv2 $(BMV2))

clean:
	rm -rf build dist out *.egg-info .venv/.built
	find cext \( -name '*.c' -o -name '*.so' \) -delete
