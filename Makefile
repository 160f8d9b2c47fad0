# Everything a newcomer needs. The scripts say what they do: scripts/NAME --help

.DEFAULT_GOAL := help
.PHONY: help quickstart uninstall-quickstart test test-all chaos fuzz bench lint docs
MAKEFLAGS += --no-print-directory

help: ## Show this
	@sed -n 's/^\([a-z-]*\): ## /  make \1\t/p' Makefile | expand -t 30

quickstart: ## Build a real virtual machine here, and take it back (YES=1, URI=..., REQUIRE=libvirt)
	@YES="$(YES)" URI="$(URI)" REQUIRE="$(REQUIRE)" scripts/quickstart

uninstall-quickstart: ## Remove what the quickstart installed (YES=1)
	@YES="$(YES)" scripts/uninstall-quickstart

test: ## Run the tests that take minutes (TESTS="tests/unit -k graph")
	@scripts/test -m "not slow" $(TESTS)

test-all: ## Run every test
	@scripts/test $(TESTS)

fuzz: ## Throw inputs at whatever takes them from strangers (SECONDS=300 SEED=1)
	@scripts/fuzz $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))
chaos: ## Kill controllers at work, and judge what is left (SECONDS=600 SEED=n DB=postgresql BACKEND=libvirt)
	@scripts/chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(DB),--db $(DB)) $(if $(BACKEND),--backend $(BACKEND))

bench: ## Measure beside the peers, and see that each target is met (ONLY=engine,create ROUNDS=3 RECORD=1)
	@scripts/bench $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(HISTORY),--history $(HISTORY)) $(if $(RECORD),--record)

docs: ## Build the documentation site into .site (SERVE=1: show it, and build it anew as it changes)
	@scripts/docs $(if $(SERVE),--serve)

lint: ## Check style, types, imports and sizes
	@scripts/lint
