# make demo   the main job on real lab hosts        make test    the tests, lab included
# make lint   ruff, mypy, yamllint, ansible-lint    make bench   ratios against what people use
.DEFAULT_GOAL := help
.PHONY: help setup lab demo test faults interruptions test-fast test-newer lint molecule bench docs docs-site clean

BIN := .venv/bin
ROLES := $(notdir $(wildcard roles/*))

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.venv/.ready: pyproject.toml scripts/venv.sh
	@scripts/venv.sh

setup: .venv/.ready ## make the venv

lab: setup ## install what the lab needs and build its image
	@$(BIN)/python -m lab setup

demo: lab ## break a real host's stream, twice, and have it repaired and proven
	@$(BIN)/python -m lab.demo

test: lab ## the tests, lab hosts included
	@scripts/packages.sh
	@$(BIN)/python -m pytest --ignore=tests/e2e --ignore=tests/browser -m "not lab and not alone" -n 2 --dist worksteal
	@$(BIN)/python -m pytest tests/browser -n 3
	@$(BIN)/python -m pytest --ignore=tests/e2e --ignore=tests/browser -m "lab or alone"
	@$(BIN)/python -m pytest tests/e2e -n 3 -m "not exam"

faults: lab ## every fault of the lab and its healthy twin, on real hosts, into docs/faults.md
	@$(BIN)/python -m pytest tests/e2e/test_faults.py -n 3 --sheet docs/faults.md

interruptions: lab ## a run cut off or killed at every task, fleets, least rights, drift (25 min)
	@$(BIN)/python -m pytest tests/e2e/test_interruptions.py tests/e2e/test_fleet.py \
	  tests/e2e/test_least_privilege.py tests/e2e/test_drift_and_recovery.py

test-fast: setup ## the tests that need neither root, lab hosts, nor a browser
	@$(BIN)/python -m pytest --ignore=tests/e2e --ignore=tests/browser -m "not lab" -n 2 --dist worksteal

test-newer: lab ## the tests that depend on Ansible, with a newer Python and ansible-core
	@scripts/newer.sh

lint: setup ## ruff, mypy, yamllint, ansible-lint
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@MYPYPATH=roles/sse_service/files $(BIN)/mypy roles/sse_service/files/notify
	@$(BIN)/yamllint --strict .
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint --offline

molecule: lab ## molecule test of each role on a lab host
	@set -e; for role in $(ROLES); do \
	  echo "molecule: $$role"; \
	  (cd roles/$$role && PATH="$(CURDIR)/$(BIN):$$PATH" molecule test); \
	done

bench: lab ## ratios against what people use today, into docs/bench.md
	@$(BIN)/python -m bench

docs: setup ## the generated pages of docs/
	@$(BIN)/python -m docs.build
	@$(BIN)/python -m docs.crash_matrix
	@$(BIN)/python -m docs.masking

docs-site: setup ## the documentation as HTML, in build/site
	@$(BIN)/python -m docs.site

clean: ## remove lab hosts and caches; keep the lab's image
	@-$(BIN)/python -m lab down
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible reports
